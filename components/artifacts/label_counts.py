"""The label counts of a source whose images are not at hand: a CSV file with the columns `label` and `count`. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

FILE_NAME = "counts.csv"
_COLUMNS = ["label", "count"]
_MOST = (1 << 63) - 1  # what int64 holds


def loads(text: str, argument: str = FILE_NAME) -> dict[str, int]:
    """Returns label → number of its images, in the order of the file. A label may have none.

    Args:
      text: of the file. The columns may stand in either order; empty lines are passed over.
      argument: what has the text, for the messages.

    Raises:
      ValueError: a column is unknown or missing, a label is empty or stands there twice, a count is no integer of at
        least 0, or there is no image at all. The message names the line.
    """
    rows = _read_rows(text, argument)
    header = [name.strip() for name in next(rows, (1, []))[1]]
    if sorted(header) != sorted(_COLUMNS):
        raise ValueError(f"{argument}: line 1 is {','.join(header)!r}; it has to be the header {','.join(_COLUMNS)!r}")
    counts: dict[str, int] = {}
    lines: dict[str, int] = {}
    for line, row in rows:
        place = f"{argument}: line {line}"
        if not row:
            continue
        if len(row) != len(_COLUMNS):
            raise ValueError(f"{place} has {len(row)} values ({','.join(row)!r}); give a label and a count")
        values = dict(zip(header, row, strict=True))
        label, count = values["label"], values["count"].strip()
        if not label.strip():
            raise ValueError(f"{place} has no label ({','.join(row)!r}); name it, or remove the line")
        if label in lines:
            raise ValueError(f"{place} has {label!r}, which line {lines[label]} has, too; remove one of them")
        if not re.fullmatch(r"[0-9]+", count) or int(count) > _MOST:
            raise ValueError(f"{place}: the count of {label!r} is {count!r}; it has to be an integer of at least 0")
        counts[label], lines[label] = int(count), line
    if not 0 < sum(counts.values()) <= _MOST:
        raise ValueError(
            f"{argument}: {len(counts)} labels have {sum(counts.values())} images in all; give a line for each label "
            "of the source, and a count above 0 to at least one"
        )
    return counts


def _read_rows(text: str, argument: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the number of each row's last line, and its values."""
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise ValueError(f"{argument}: line {rows.line_num} is no CSV: {error}; write label,count") from error


def dumps(counts: Mapping[str, int]) -> str:
    """Returns the text that `loads` reads."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # as `vocabulary.dumps` does
    table.writerow(_COLUMNS)
    table.writerows(counts.items())
    return text.getvalue()


def count_alike(labels: Iterable[str]) -> dict[str, int]:
    """Returns counts that are the same for all `labels`."""
    return dict.fromkeys(labels, 1)
