"""SIGTERM, by which schedulers announce that a machine is taken away, as something that a training can ask about."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

EXIT_CODE = 128 + signal.SIGTERM


class Preempted(SystemExit):
    """Ends the process with exit code 143.

    That is what a shell and Kubernetes report of a process that SIGTERM ended: schedulers that tell failures apart take
    codes from 128 on as worth a retry, and the lower ones as errors of the program. It is a `SystemExit`, so that no
    `except Exception` on the way takes it for a failed node and goes on with the next one.
    """

    def __init__(self, message: str):
        super().__init__(EXIT_CODE)
        self.message = message

    def __str__(self) -> str:
        return self.message


@contextlib.contextmanager
def watch_sigterm() -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether SIGTERM has come; until the end of the block it does nothing else.

    Outside the main thread, where Python hears no signals, the answer is always no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.set())
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
