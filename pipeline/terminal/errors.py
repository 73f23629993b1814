"""One-line error messages. Imports nothing heavy."""

import re
from collections.abc import Iterator

# Text that Beam and TensorFlow add to a message.
_ADDED = re.compile(r"\{\{.*?\}\}|\s*\[while running '[^']*'\]|^[\w.]+Error: ")
_EMPTY = re.compile(r"(Graph execution error:?|Detected at node.*|<stack traces.*|\d+ root error.*)?")


def one_line(error: BaseException) -> str:
    """Returns the message of `error` as one line.

    In a chain of causes, this is the message of the first error that is not a RuntimeError, because Beam wraps every
    worker's error in one. In a long message of TensorFlow, it is the first line that is neither a heading nor a place
    in a graph.
    """
    lines = [line for cause in _chain(error) if not isinstance(cause, RuntimeError) for line in _lines(cause)]
    return (lines or _lines(error) or [type(error).__name__])[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _lines(error: BaseException) -> list[str]:
    lines = [_ADDED.sub("", line).strip() for line in str(error).splitlines()]
    return [line for line in lines if not _EMPTY.fullmatch(line)]
