"""Prepares labels for a terminal. Imports nothing heavy."""

import unicodedata

import rich.text

_FIRST_STRONG_ISOLATE, _POP_DIRECTIONAL_ISOLATE = "\u2068", "\u2069"


def make_cell(label: str) -> rich.text.Text:
    """Returns `label` as a table cell, printed literally, without markup."""
    return rich.text.Text(isolate(label))


def isolate(label: str) -> str:
    """Returns `label` such that it cannot break the line, control the terminal or reorder the text beside it.

    Control characters are escaped as in Python. Labels with right-to-left text, which would reorder the rest of the
    line, are enclosed in invisible Unicode isolates. Copying such a label copies the isolates too.
    """
    label = "".join(repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in label)
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in label):
        return f"{_FIRST_STRONG_ISOLATE}{label}{_POP_DIRECTIONAL_ISOLATE}"
    return label
