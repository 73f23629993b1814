"""One-line error messages. Imports nothing heavy."""

import re
from collections.abc import Iterator

# Text that Beam and TensorFlow add to a message.
_ADDED = re.compile(r"\{\{.*?\}\}|\s*\[while running '[^']*'\]|^[\w.]+Error: ")
_STEP = "[while running '"
# In the text of tracebacks, the class and the message of each error, which stand behind the indented lines.
_RAISED = re.compile(
    r"^Traceback \(most recent call last\):\n(?:[ \t].*\n)+(?:\w+\.)*(\w+)(?:: ([\s\S]*?))?"
    r"(?=\n\nThe above exception |\n\nDuring handling |\Z)",
    re.MULTILINE,
)
_EMPTY = re.compile(r"(Graph execution error:?|Detected at node.*|<stack traces.*|\d+ root error.*)?")


def one_line(error: BaseException) -> str:
    """Returns the message of `error` as one line.

    In a chain of causes, this is the message of the first error that is not a RuntimeError, because Beam, TFMA and
    others wrap a worker's error in one. Of a worker in a process or thread of its own Beam has the error as the text of
    its tracebacks, in which the same is looked for. In a long message of TensorFlow, it is the first line that is
    neither a heading nor a place in a graph.
    """
    causes = list(_causes(error))
    lines = [line for is_wrapper, message in causes if not is_wrapper for line in _lines(message)]
    return (lines or [line for _, message in causes for line in _lines(message)] or [type(error).__name__])[0]


def _causes(error: BaseException) -> Iterator[tuple[bool, str]]:
    """Yields (whether it is a RuntimeError, message) of `error` and what it was raised from, the outermost first."""
    for cause in _chain(error):
        if raised := _RAISED.findall(str(cause)):
            yield from ((kind == RuntimeError.__name__, message) for kind, message in reversed(raised))
        else:
            yield isinstance(cause, RuntimeError), str(cause)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        # Beam raises an error anew, with the name of the step, while it handles the first one.
        error = error.__cause__ or (error.__context__ if _STEP in str(error) else None)


def _lines(message: str) -> list[str]:
    lines = [_ADDED.sub("", line).strip() for line in message.splitlines()]
    return [line for line in lines if not _EMPTY.fullmatch(line)]
