"""The command line. Each command imports heavy modules only when it needs them."""

import io
import os
import sys

from pipeline.cli import local, remote, results
from pipeline.cli.app import app

__all__ = ["app", "local", "main", "remote", "results"]


def main() -> None:
    """Runs the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # labels may have characters that the terminal has not
    try:
        app()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > 128:  # an interruption
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code)  # threads that hear of no signal would be waited for
        raise
