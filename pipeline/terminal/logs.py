"""Redirects the output of a run. Imports nothing heavy, because libraries print while they are imported."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TypedDict

import rich.console
import rich.live
import rich.spinner
import rich.text


class _Live(TypedDict):
    transient: bool
    redirect_stdout: bool
    redirect_stderr: bool


# Options of live displays: they disappear at the end, and leave the libraries' output to the log.
LIVE: _Live = {"transient": True, "redirect_stdout": False, "redirect_stderr": False}


@contextlib.contextmanager
def redirect_output(log_path: str) -> Iterator[rich.console.Console]:
    """Redirects this process' output, with that of C++ libraries, to `log_path`; yields a console on the terminal.

    What the terminal's encoding does not have is escaped.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    encoding = sys.stdout.encoding or "utf-8"
    terminal = os.fdopen(os.dup(1), "w", encoding=encoding, errors="backslashreplace")
    with open(log_path, "ab") as log, terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield rich.console.Console(file=terminal, soft_wrap=True)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved[0], 1)
            os.dup2(saved[1], 2)
            os.close(saved[0])
            os.close(saved[1])


@contextlib.contextmanager
def write_log(path: str) -> Iterator[None]:
    """Within `redirect_output`, redirects the output to the file `path` instead, and makes its folder."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        yield


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Drops what is written to stderr in the block, also by C++ libraries: TensorFlow's, whatever its log level is."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "ab") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)


def show_waiting(console: rich.console.Console, activity: str) -> rich.live.Live:
    """Shows a spinner with `activity` on a terminal until the block ends."""
    return rich.live.Live(rich.spinner.Spinner("dots", rich.text.Text(activity)), console=console, **LIVE)
