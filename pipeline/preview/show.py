"""What a person sees of a dry run: each side of the data, and what a run will take."""

import collections
from collections.abc import Sequence

import numpy as np
import rich.console
import rich.filesize
import rich.table

from pipeline.preview.estimate import Cost
from pipeline.preview.sample import DataPreview
from pipeline.terminal.text import isolate, make_cell

_LABELS = 8  # that are named
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400


def show_side(console: rich.console.Console, name: str, location: str, side: DataPreview, max_rejected: float) -> None:
    """Prints what was found on a side.

    Args:
      name: of the side.
      location: of its data.
      side: what was found.
      max_rejected: share of the images that may be rejected.
    """
    read = sum(side.sample.read.values())
    what = (
        f"all {read:,} images read"
        if len(side.sample.whole) == len(side.sample.read)
        else f"a sample of {read:,} images read"
    )
    console.print(f"\n[bold]{name}[/]", end="")
    _print(console, f"  {location}: {what}")
    _splits(console, side)
    _labels(console, side)
    _images(console, side)
    _rejected(console, side, max_rejected)
    for line in side.warnings:
        _print(console, f"  {line}", style="yellow")


def show_costs(
    console: rich.console.Console, costs: Sequence[Cost], checkpoint_bytes: float | None, nodes: int, measured: str
) -> None:
    """Prints what a run will take.

    Args:
      console: where it goes.
      costs: its parts.
      checkpoint_bytes: of one training, while it goes on; None: not known.
      nodes: of the pipeline.
      measured: what the times were measured on.
    """
    table = _table("a run from nothing, on this machine", ["", "nodes", "time", "storage"])
    for cost in costs:
        table.add_row(cost.what, f"{cost.times:,}", _duration(cost.seconds), _size(cost.bytes))
    seconds, size = (_sum([getattr(cost, name) for cost in costs]) for name in ("seconds", "bytes"))
    table.add_row("all", "", _duration(seconds), _size(size))
    console.print()
    console.print(table)
    if checkpoint_bytes is not None:
        _print(console, f"  and {_size(checkpoint_bytes)} of checkpoints, while a training goes on")
    _print(console, f"  and the seconds that each of {nodes} nodes costs besides")
    _print(console, f"  {measured}")


def _print(console: rich.console.Console, text: str, style: str | None = None) -> None:
    """Prints `text` as it is: names of files and labels may look like markup."""
    console.print(text, style=style, markup=False, highlight=False)


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _splits(console: rich.console.Console, side: DataPreview) -> None:
    table = _table(None, ["split", "examples", "read", "set aside"])
    for split, count in side.measured.examples.items():
        about = "" if split in side.sample.whole else "~"
        rejected = len(side.sample.rejections[split])
        table.add_row(split, f"{about}{count:,}", f"{side.sample.read[split]:,}", f"{rejected:,}" if rejected else "")
    console.print(table)
    for split, rows in side.sample.rows.items():
        if not rows:
            sure = split in side.sample.whole
            told = "no image: a run would stop here" if sure else "no image in the sample; try more --images"
            _print(console, f"  splits.{split}: {told}", style="red" if sure else "yellow")


def _labels(console: rich.console.Console, side: DataPreview) -> None:
    rows = side.sample.all_rows
    numbers = np.array([len(row["labels"]) for row in rows])
    several = f", {numbers.mean():.2f} an image (at most {numbers.max()})" if numbers.max() > 1 else ""
    above = {parent for parents in side.labels.edges().values() for parent in parents} - set(side.labels.names)
    under = f", under {len(above):,} nodes of a hierarchy" if above else ""
    _print(console, f"  labels    {len(side.labels):,}{several}{under}")
    counts = side.label_counts
    order = np.argsort(-counts, kind="stable")
    present = order[counts[order] > 0]
    is_expected = np.issubdtype(counts.dtype, np.floating)
    where = "in the sample of train" if not side.is_counted else "expected in train" if is_expected else "in train"
    few = len(present) <= 2 * _LABELS
    most = present if few else present[:_LABELS]
    _print(console, f"  {'images' if few else 'most':<10}{_named(side, most)}  ({where})")
    if not few:
        _print(console, f"  fewest    {_named(side, present[::-1][:_LABELS])}")
    empty = order[counts[order] == 0]
    if len(empty):
        names = ", ".join(isolate(side.labels.names[label]) for label in empty[:_LABELS])
        more = ", …" if len(empty) > _LABELS else ""
        style = "yellow" if side.is_counted else None
        _print(console, f"  none      {len(empty):,} labels have no image {where}: {names}{more}", style=style)


def _named(side: DataPreview, labels: np.ndarray) -> str:
    counts = (side.label_counts[label] for label in labels)
    shown = (f"{round(count):,}" if count >= 0.5 else "<1" for count in counts)
    names = (isolate(side.labels.names[label]) for label in labels)
    return ", ".join(f"{name} {count}" for name, count in zip(names, shown, strict=True))


def _images(console: rich.console.Console, side: DataPreview) -> None:
    rows = side.sample.all_rows
    formats = collections.Counter(row["original_format"] for row in rows)
    count = sum(row["converted"] for row in rows)
    converted = f"; {count:,} converted to be shown as they are meant" if count else ""
    told = ", ".join(f"{name} {100 * count / len(rows):.1f}%" for name, count in formats.most_common())
    _print(console, f"  formats   {told}{converted}")
    table = _table(None, ["", "least", "median", "most"])
    columns = {key: np.array([row[key] for row in rows]) for key in ("height", "width", "bytes")}
    columns["width/height"] = columns["width"] / columns["height"]
    for key, values in columns.items():
        figures = np.quantile(values, [0, 0.5, 1])
        table.add_row(key, *(f"{value:.2f}" if key == "width/height" else f"{value:,.0f}" for value in figures))
    console.print(table)


def _rejected(console: rich.console.Console, side: DataPreview, max_rejected: float) -> None:
    rows = side.sample.all_rejections
    if not rows:
        return
    table = _table(f"  set aside: {len(rows):,} of those read", ["reason", "images", "for example"])
    for reason, count in collections.Counter(row["reason"] for row in rows).most_common():
        first = next(row for row in rows if row["reason"] == reason)
        table.add_row(reason, f"{count:,}", make_cell(f"{first['source_id']}: {first['detail']}"))
    console.print(table)
    if side.rejected > max_rejected:
        _print(
            console,
            f"  {100 * side.rejected:.2g}% of all; max_rejected allows {100 * max_rejected:.2g}%: a run would stop",
            style="red",
        )


def _table(title: str | None, columns: Sequence[str]) -> rich.table.Table:
    table = rich.table.Table(title=title, title_justify="left", box=None, padding=(0, 2))
    for number, column in enumerate(columns):
        is_text = number == 0 or column == "for example"
        table.add_column(column, justify="left" if is_text else "right", no_wrap=number == 0, overflow="fold")
    return table


def _size(size: float | None) -> str:
    return "?" if size is None else rich.filesize.decimal(round(size))


def _duration(seconds: float | None) -> str:
    """Returns a time in two digits or so: more would not be known."""
    if seconds is None:
        return "?"
    for unit, name in ((_YEAR, "years"), (_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}" if seconds >= 10 * unit else f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
