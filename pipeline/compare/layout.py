"""Tables of texts, as Markdown and for a terminal, and CSV of values."""

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pipeline.terminal.text import isolate, make_cell

if TYPE_CHECKING:
    import rich.table


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
      title: what it shows.
      columns: the names of the columns. The first one is of texts, and so are those in `texts`; the others are numbers.
      rows: one text for each column.
      texts: the names of further columns of texts.
      wrapped: the names of the columns that a narrow terminal may break into lines.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] = ()
    wrapped: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"rows: {row} has {len(row)} texts for the {len(self.columns)} columns {self.columns}")

    def to_markdown(self) -> str:
        """Returns the table in Markdown, its title as a line in bold, with a line end."""
        ends = ["---" if self._is_text(column) else "---:" for column in self.columns]
        lines = [self.columns, ends, *self.rows]
        body = "\n".join(f"| {' | '.join(_escape(text) for text in line)} |" for line in lines)
        return f"**{_escape(self.title)}**\n\n{body}\n"

    def to_rich(self) -> "rich.table.Table":
        """Returns the table for a terminal."""
        import rich.box
        import rich.table

        table = rich.table.Table(
            title=make_cell(self.title), title_justify="left", box=rich.box.SIMPLE, padding=(0, 1, 0, 0)
        )
        for column in self.columns:
            justify: Literal["left", "right"] = "left" if self._is_text(column) else "right"
            table.add_column(make_cell(column), justify=justify, no_wrap=column not in self.wrapped)
        for row in self.rows:
            table.add_row(*map(make_cell, row))
        return table

    def _is_text(self, column: str) -> bool:
        return column == self.columns[0] or column in self.texts


def to_csv(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    """Returns rows of values as CSV. What a row lacks, None and NaN are empty."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    lines.writerow(columns)
    for row in rows:
        values = (row.get(column) for column in columns)
        lines.writerow(["" if value is None or _is_nan(value) else value for value in values])
    return text.getvalue()


def percent(share: float) -> str:
    """Returns a share such as "95.8"."""
    return f"{100 * share:.1f}"


def describe_metric(metric: str) -> str:
    """Returns the name of a metric for a reader."""
    return {"mean_per_class_accuracy": "mean accuracy per class"}.get(metric, metric)


def points(difference: float) -> str:
    """Returns a difference of shares such as "+1.5"; what is rounded to 0 has no minus."""
    return f"{round(100 * difference, 1) + 0.0:+.1f}"


def describe_margin(share: float) -> str:
    """Returns a difference that does not matter such as "1 point"."""
    return f"{100 * share:g} point{'s' if share != 0.01 else ''}"


def show_value(share: float, half_width: float) -> str:
    """Returns a share and half the width of its interval such as "95.8 ± 0.9", or "95.8" without an interval."""
    return percent(share) if math.isnan(half_width) else f"{percent(share)} ± {percent(half_width)}"


def count(number: float) -> str:
    """Returns a number of images or of steps such as "230,400"."""
    return f"{number:,.0f}"


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _escape(text: str) -> str:
    return isolate(text).replace("\\", "\\\\").replace("|", "\\|")
