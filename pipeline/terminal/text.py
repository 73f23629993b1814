"""Labels in the tables of a terminal. Imports nothing heavy."""

import unicodedata

import rich.text

_FIRST_STRONG_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2069"


def make_cell(label: str) -> rich.text.Text:
    """Returns `label` as the cell of a table, in which no character of it means anything but itself."""
    return rich.text.Text(isolate(label))


def isolate(label: str) -> str:
    """Returns `label` so that it stays in its line, and does nothing to the terminal or to what stands beside it.

    Control characters are shown as Python writes them. Around a script from right to left, which would turn the rest of
    the line around, and only there, are characters that take no room; whoever copies the label copies them too.
    """
    label = "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in label)
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in label):
        return f"{_FIRST_STRONG_ISOLATE}{label}{_POP_DIRECTIONAL_ISOLATE}"
    return label
