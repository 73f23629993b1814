"""Where a training says how far it is. Whoever runs it may listen; else it is logged."""

import contextlib
import contextvars
import dataclasses
import logging
from collections.abc import Callable, Iterator


@dataclasses.dataclass(frozen=True)
class Progress:
    """A training's state: steps done of `steps`; since the last report, the mean loss and the images a second."""

    step: int
    steps: int
    loss: float
    images_per_second: float


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
def listening(listener: Callable[[Progress], None]) -> Iterator[None]:
    """Sends the reports made inside to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
