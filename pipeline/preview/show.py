"""Prints the previews of the data and the costs of a run."""

import collections
from collections.abc import Sequence

import numpy as np
import rich.console
import rich.filesize
import rich.table

from pipeline.preview.estimate import INGESTION_MEMORY, Cost
from pipeline.preview.sample import DataPreview
from pipeline.terminal.findings import show_findings
from pipeline.terminal.text import isolate, make_cell

_SHOWN_LABELS = 8
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86_400, 365 * 86_400


def show_side(console: rich.console.Console, name: str, location: str, side: DataPreview) -> None:
    """Prints the preview of a side.

    Args:
      console: where to print.
      name: name of the side.
      location: location of its data.
      side: the preview.
    """
    read = sum(side.sample.read.values())
    extent = (
        f"all {read:,} images read"
        if len(side.sample.whole) == len(side.sample.read)
        else f"a sample of {read:,} images read"
    )
    console.print(f"\n[bold]{name}[/]", end="")
    _print(console, f"  {location}: {extent}")
    _show_splits(console, side)
    _show_labels(console, side)
    _show_images(console, side)
    _show_rejected(console, side)
    show_findings(console, name, side.findings)
    for reason in side.stops:
        console.print(f"{name}: a run would stop: {reason}", style="red", markup=False, highlight=False, soft_wrap=True)


def show_warning(console: rich.console.Console, name: str, text: str) -> None:
    """Prints a warning about a side that is no finding in its data."""
    console.print(f"{name}: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def show_costs(
    console: rich.console.Console,
    costs: Sequence[Cost],
    working_bytes: float,
    checkpoint_bytes: float | None,
    nodes: int,
    basis: str,
) -> None:
    """Prints the costs of a run.

    Args:
      console: where to print.
      costs: the costs of its parts.
      working_bytes: bytes of the working files of an ingestion.
      checkpoint_bytes: bytes of the checkpoints of a training; None: unknown.
      nodes: number of nodes of the pipeline.
      basis: a line on how the times were measured.
    """
    table = _make_table("a new workspace, on this machine", ["", "nodes", "time", "storage"])
    for cost in costs:
        table.add_row(cost.part, f"{cost.nodes:,}", _format_duration(cost.seconds), _format_size(cost.bytes))
    seconds, size = (_sum_known([getattr(cost, name) for cost in costs]) for name in ("seconds", "bytes"))
    table.add_row("all", "", _format_duration(seconds), _format_size(size))
    console.print()
    console.print(table)
    _print(console, f"  plus {_format_size(working_bytes)} of working files while data are read")
    _print(console, f"  and {_format_size(INGESTION_MEMORY)} of memory for each Beam worker that reads data")
    if checkpoint_bytes is not None:
        _print(console, f"  plus {_format_size(checkpoint_bytes)} of checkpoints during a training")
    _print(console, f"  plus a few seconds for each of {nodes} nodes")
    _print(console, f"  {basis}")


def _print(console: rich.console.Console, text: str, style: str | None = None) -> None:
    """Prints `text` literally, because names of files and labels may look like markup."""
    console.print(text, style=style, markup=False, highlight=False)


def _sum_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _show_splits(console: rich.console.Console, side: DataPreview) -> None:
    table = _make_table(None, ["split", "examples", "read", "set aside"])
    for split, count in side.costs.examples.items():
        about = "" if split in side.sample.whole else "~"
        rejected = len(side.sample.rejections[split])
        table.add_row(split, f"{about}{count:,}", f"{side.sample.read[split]:,}", f"{rejected:,}" if rejected else "")
    console.print(table)
    for split, rows in side.sample.rows.items():
        if not rows and split not in side.sample.whole:
            _print(console, f"  splits.{split}: no image in the sample; try more --images", style="yellow")


def _show_labels(console: rich.console.Console, side: DataPreview) -> None:
    rows = side.sample.all_rows
    sizes = np.array([len(row["labels"]) for row in rows])
    several = f", {sizes.mean():.2f} an image (at most {sizes.max()})" if sizes.max() > 1 else ""
    ancestors = {parent for parents in side.labels.edges().values() for parent in parents} - set(side.labels.names)
    hierarchy = f", under {len(ancestors):,} nodes of a hierarchy" if ancestors else ""
    _print(console, f"  labels    {len(side.labels):,}{several}{hierarchy}")
    counts = side.label_counts
    order = np.argsort(-counts, kind="stable")
    present = order[counts[order] > 0]
    is_expected = np.issubdtype(counts.dtype, np.floating)
    where = "in the sample of train" if not side.is_counted else "expected in train" if is_expected else "in train"
    few = len(present) <= 2 * _SHOWN_LABELS
    most = present if few else present[:_SHOWN_LABELS]
    _print(console, f"  {'images' if few else 'most':<10}{_list_counts(side, most)}  ({where})")
    if not few:
        _print(console, f"  fewest    {_list_counts(side, present[::-1][:_SHOWN_LABELS])}")
    empty = order[counts[order] == 0]
    if len(empty) and not side.is_counted:  # else it is a finding
        names = ", ".join(isolate(side.labels.names[label]) for label in empty[:_SHOWN_LABELS])
        more = ", …" if len(empty) > _SHOWN_LABELS else ""
        _print(console, f"  none      {len(empty):,} labels have no image {where}: {names}{more}")


def _list_counts(side: DataPreview, labels: np.ndarray) -> str:
    counts = (side.label_counts[label] for label in labels)
    shown = (f"{round(count):,}" if count >= 0.5 else "<1" for count in counts)
    names = (isolate(side.labels.names[label]) for label in labels)
    return ", ".join(f"{name} {count}" for name, count in zip(names, shown, strict=True))


def _show_images(console: rich.console.Console, side: DataPreview) -> None:
    rows = side.sample.all_rows
    formats = collections.Counter(row["original_format"] for row in rows)
    count = sum(row["converted"] for row in rows)
    converted = f"; {count:,} to be converted" if count else ""
    shares = ", ".join(f"{name} {100 * count / len(rows):.1f}%" for name, count in formats.most_common())
    _print(console, f"  formats   {shares}{converted}")
    table = _make_table(None, ["", "least", "median", "most"])
    columns = {key: np.array([row[key] for row in rows]) for key in ("height", "width", "bytes")}
    columns["width/height"] = columns["width"] / columns["height"]
    for key, values in columns.items():
        figures = np.quantile(values, [0, 0.5, 1])
        table.add_row(key, *(f"{value:.2f}" if key == "width/height" else f"{value:,.0f}" for value in figures))
    console.print(table)


def _show_rejected(console: rich.console.Console, side: DataPreview) -> None:
    rows = side.sample.all_rejections
    if not rows:
        return
    table = _make_table(f"  set aside: {len(rows):,} of the images read", ["reason", "images", "for example"])
    for reason, count in collections.Counter(row["reason"] for row in rows).most_common():
        first = next(row for row in rows if row["reason"] == reason)
        table.add_row(reason, f"{count:,}", make_cell(f"{first['source_id']}: {first['detail']}"))
    console.print(table)


def _make_table(title: str | None, columns: Sequence[str]) -> rich.table.Table:
    table = rich.table.Table(title=title, title_justify="left", box=None, padding=(0, 2))
    for number, column in enumerate(columns):
        is_text = number == 0 or column == "for example"
        table.add_column(column, justify="left" if is_text else "right", no_wrap=number == 0, overflow="fold")
    return table


def _format_size(size: float | None) -> str:
    return "?" if size is None else rich.filesize.decimal(round(size))


def _format_duration(seconds: float | None) -> str:
    """Returns a duration in about two digits, which is as exact as the estimate."""
    if seconds is None:
        return "?"
    for unit, name in ((_YEAR, "years"), (_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}" if seconds >= 10 * unit else f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
