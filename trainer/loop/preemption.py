"""Preemption: schedulers send SIGTERM before they take a machine away; a training polls for it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

EXIT_CODE = 128 + signal.SIGTERM


class Preempted(SystemExit):
    """Ends the process with exit code 143.

    Shells and Kubernetes report this code for a process that SIGTERM ended. Schedulers that distinguish failures retry
    at codes from 128 on, and take lower codes as errors of the program. The class is a `SystemExit` so that no
    `except Exception` takes it for a failed node and continues with the next one.
    """

    def __init__(self, message: str):
        super().__init__(EXIT_CODE)
        self.message = message

    def __str__(self) -> str:
        return self.message


@contextlib.contextmanager
def watch_sigterm() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns whether SIGTERM has come. Inside the block SIGTERM does not end the process.

    Outside the main thread, where Python handles no signals, the function always returns False.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    terminated = threading.Event()
    previous = signal.signal(signal.SIGTERM, lambda number, frame: terminated.set())
    try:
        yield terminated.is_set
    finally:
        signal.signal(signal.SIGTERM, previous)
