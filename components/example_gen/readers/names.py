"""Label names that the data do not carry themselves: a text file with a name a line, in the order of the indices."""

import difflib

from components import storage


def read_names(path: str) -> list[str]:
    """Reads the file at `path`; empty lines at its end do not count.

    Raises:
      ValueError: it cannot be read, is empty, or has an empty line among the others.
    """
    import tensorflow as tf

    try:
        lines = [line.strip() for line in storage.read_text(path).rstrip().split("\n")]
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise ValueError(f"names: {path!r} cannot be read: {error}") from error
    if "" in lines:
        raise ValueError(f"names: line {lines.index('') + 1} of {path!r} is empty; it needs a label name a line")
    return lines


def suggest_names(name: str, known: list[str]) -> str:
    """Returns what a message says after an unknown `name`: near ones, or some of those there are."""
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"known are {', '.join(map(repr, known[:10]))}"
