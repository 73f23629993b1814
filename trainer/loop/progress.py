"""Where a training says how far it is. Whoever runs it may listen; else it is logged."""

import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterator

from trainer.loop.history import Progress

_NOT_IN_CACHE_KEYS = "it shows how far a training is, and changes nothing in it"


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
    """Hands `progress` to the listener, and to the log."""
    _log(progress)
    listener = _listener.get()
    if listener:
        listener(progress)


@contextlib.contextmanager
def listen(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Sends the reports made inside to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
