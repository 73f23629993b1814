"""Shows the findings on a data set, before a run and after it."""

from collections.abc import Iterable

import rich.console

from components.artifacts import findings
from components.artifacts.findings import Finding
from pipeline.terminal.text import isolate

_SET_ASIDE = ("set_aside", "set_aside_copies")


def show_findings(
    console: rich.console.Console, side: str, found: Iterable[Finding], rejected_uri: str | None = None
) -> None:
    """Prints a line for each of the findings on a side.

    Args:
      console: where to print.
      side: name of the side.
      found: its findings.
      rejected_uri: where the images that were set aside are listed.
    """
    for finding in found:
        line = f"{side}: {findings.describe(finding, isolate)}"
        if finding.kind in _SET_ASIDE and rejected_uri:
            line += f": {rejected_uri}"
        # Not wrapped, so that a URI stays in one piece.
        style = "yellow" if finding.is_warning else None
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
