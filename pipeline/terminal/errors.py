"""What is said of an error to a person: one line. Imports nothing heavy."""

import re
from collections.abc import Iterator

# What Beam and TensorFlow put around a message.
_AROUND = re.compile(r"\{\{.*?\}\}|\s*\[while running '[^']*'\]|^[\w.]+Error: ")
_EMPTY = re.compile(r"(Graph execution error:?|Detected at node.*|<stack traces.*|\d+ root error.*)?")


def one_line(error: BaseException) -> str:
    """Returns what `error` says, in a line.

    Of a chain, the first error that is no mere RuntimeError, which Beam makes of whatever happens in a worker: what a
    ValueError of ours was raised from says less than it does. Of TensorFlow's pages, the first line that is neither a
    heading nor a place in a graph.
    """
    lines = [line for link in _chain(error) if not isinstance(link, RuntimeError) for line in _lines(link)]
    return (lines or _lines(error) or [type(error).__name__])[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _lines(error: BaseException) -> list[str]:
    lines = [_AROUND.sub("", line).strip() for line in str(error).splitlines()]
    return [line for line in lines if not _EMPTY.fullmatch(line)]
