"""Labels in the tables of a terminal. Imports nothing heavy."""

import unicodedata

import rich.text

_FIRST_STRONG_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2069"


def cell(label: str) -> rich.text.Text:
    """Returns `label` as the cell of a table, in which no character of it means anything but itself."""
    return rich.text.Text(isolated(label))


def isolated(label: str) -> str:
    """Returns `label` so that a script from right to left does not turn the rest of its line around.

    Only then are there characters around it: they take no room, but whoever copies the label copies them too.
    """
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in label):
        return f"{_FIRST_STRONG_ISOLATE}{label}{_POP_DIRECTIONAL_ISOLATE}"
    return label
