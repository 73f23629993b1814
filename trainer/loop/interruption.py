"""Interruptions: Ctrl-C, and the SIGTERM that schedulers send before they take a machine away.

`end_on_signals` ends a process wherever it is. Inside it, `watch_signals` lets a training end between two calls.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import psutil

_NOT_IN_CACHE_KEYS = "when a training stops; it goes on with the same weights"

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GRACE_SECONDS = 4.0

_received: list[int] = []


class Interrupted(SystemExit):
    """Ends the process with the exit code that shells report for its signal: 130 for SIGINT, 143 for SIGTERM.

    Schedulers that distinguish failures retry at codes from 128 on, and take lower codes as errors of the program. The
    class is a `SystemExit` so that no `except Exception` takes it for a failed node and continues with the next one.
    """

    def __init__(self, number: int, where: str = ""):
        super().__init__(128 + number)
        self.number = number
        self.where = where

    def __str__(self) -> str:
        return f"{signal.Signals(self.number).name} {self.where}".rstrip()


def received() -> int | None:
    """Returns the signal that a surrounding `end_on_signals` has received, or None."""
    return _received[0] if _received else None


@contextlib.contextmanager
def end_on_signals(report: Callable[[Interrupted], None]) -> Iterator[None]:
    """Raises `Interrupted` in the block at SIGINT or SIGTERM. The process ends 4 seconds later at the latest.

    Libraries may swallow the exception, or wait for threads that hear of nothing, such as Beam's workers. What is
    written appears whole or not at all, so to end there loses no more than the work under way. A second signal ends the
    process at once. Child processes are ended with the first.

    Args:
      report: called with the exception before the process ends so; not if the exception leaves the block.
    """

    def end(stop: Interrupted) -> None:
        report(stop)
        os._exit(128 + stop.number)

    timers: list[threading.Timer] = []

    def handle(number: int, frame: FrameType | None) -> None:
        stop = Interrupted(number)
        if _received:
            end(stop)
        _received.append(number)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.terminate()
        timers.append(threading.Timer(_GRACE_SECONDS, end, [stop]))
        timers[0].daemon = True
        timers[0].start()
        raise stop

    try:
        with _handle_signals(handle):
            yield
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
        _received.clear()


@contextlib.contextmanager
def watch_signals() -> Iterator[Callable[[], int]]:
    """Yields a function that returns the signal that has come, or 0. In the block the first signal raises nothing.

    Raises:
      Interrupted: at the end of the block, if a signal has come and the block did not end for it.
    """
    came: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            previous = outer.get(number)
            if callable(previous):
                previous(number, frame)

    with _handle_signals(handle) as outer:
        yield lambda: came[0] if came else 0
    if came:
        raise Interrupted(came[0])


@contextlib.contextmanager
def _handle_signals(handle: Callable[[int, FrameType | None], None]) -> Iterator[dict]:
    """Yields the handlers that `handle` replaces; none outside the main thread, where Python handles no signals."""
    previous = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                previous[number] = signal.signal(number, handle)
        yield previous
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
