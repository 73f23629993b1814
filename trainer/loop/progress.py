"""Reports the progress of a training to the log, and to a listener if there is one."""

import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterator

from trainer.loop.history import Progress

_NOT_IN_CACHE_KEYS = "it shows the progress of a training and does not change the result"


def _log(progress: Progress) -> None:
    logging.getLogger(__name__).info(
        "step %d/%d  loss %.4f  %.0f images/s",
        progress.step,
        progress.steps,
        progress.loss,
        progress.images_per_second,
    )


_listener: contextvars.ContextVar[Callable[[Progress], None] | None] = contextvars.ContextVar("listener", default=None)


def report(progress: Progress) -> None:
    """Logs `progress`, and calls the listener with it."""
    _log(progress)
    listener = _listener.get()
    if listener:
        listener(progress)


@contextlib.contextmanager
def listen(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Calls `listener` with each report made inside the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
