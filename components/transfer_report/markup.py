"""The templates' filters that make markup. Pure; text from data is escaped."""

import base64
import re
from typing import TYPE_CHECKING

from components.transfer_report.block import Figure

if TYPE_CHECKING:
    import markupsafe


def mark_code(text: str) -> "markupsafe.Markup":
    """Returns text in which what stands in `backticks` is code, whose words are not broken."""
    import markupsafe

    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its other one
        return markupsafe.escape(text)
    word, code = markupsafe.Markup("<span>{}</span>"), markupsafe.Markup("<code>{}</code>")
    return markupsafe.Markup("").join(
        code.format(markupsafe.Markup(" ").join(map(word.format, map(let_break, piece.split())))) if i % 2 else piece
        for i, piece in enumerate(pieces)
    )


def let_break(text: str) -> "markupsafe.Markup":
    """Returns a path or an id that may be broken where people would break it."""
    import markupsafe

    return markupsafe.Markup("<wbr>").join(re.split(r"(?<=[/_.-])(?=.)", text))


def make_figure_uri(figure: Figure) -> str:
    """Returns the figure as an image: whatever its SVG holds, an image runs no script and fetches nothing."""
    return f"data:image/svg+xml;base64,{base64.b64encode(figure.svg.encode()).decode()}"
