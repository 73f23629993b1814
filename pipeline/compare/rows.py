"""The results of a comparison's cells, and their tidy CSV: one row a metric. Pure but for `write` and `read`."""

import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pipeline.compare import files

FILE_NAME = "results.csv"


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """One training of a comparison.

    Attributes:
      target: name of the target.
      arm: name of the arm.
      seed: of the pre-training and the fine-tuning.
      shots: images a class that the fine-tuning sees; None: all train images.
      learning_rate: of the fine-tuning.
    """

    target: str
    arm: str
    seed: int
    shots: int | None
    learning_rate: float

    def __str__(self) -> str:
        shots = "all images" if self.shots is None else f"{self.shots} images a class"
        return f"{self.target}, {self.arm}, seed {self.seed}, {shots}, learning rate {self.learning_rate:g}"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a cell has cost, and how good its model is.

    Attributes:
      cell: the training.
      backbone: name of the network.
      matcher: what drew the pre-training sample; "" without one: nothing or all of the source.
      start: 'random', 'classifier' or 'published', where the pre-training started from.
      n: (example, label) pairs, or images, of the sample; 0 without one.
      steps: of the pre-training; 0 without one.
      images: that the pre-training saw, repeats included: its steps × its batch. The classifier is not in it.
      classifier_images: that the source classifier saw, if the arm needs it: for P_t or to start from; else 0.
      seconds: of the pre-training and the fine-tuning.
      finetune_seconds: those of the fine-tuning; the rest was spent once for all learning rates and shots.
      classifier_seconds: of the classifier's training, if the arm needs it; else 0.
      settings: those of the prior and the matcher that differ from the defaults, as JSON.
      metrics: (split, metric) → value; the split is 'eval' or 'test'.
    """

    cell: Cell
    backbone: str
    matcher: str
    start: str
    n: int
    steps: int
    images: int
    classifier_images: int
    seconds: float
    finetune_seconds: float
    classifier_seconds: float
    settings: str
    metrics: Mapping[tuple[str, str], float]

    @property
    def total_images(self) -> int:
        """Images that all pre-training saw, with the classifier's."""
        return self.images + self.classifier_images

    @property
    def total_seconds(self) -> float:
        """Seconds of all training, with the classifier's."""
        return self.seconds + self.classifier_seconds


def _read_shots(text: str) -> int | None:
    return int(text) if text else None


# Column → how its text is read. The fields of a cell, then those of a result, then a metric's.
_CELL: dict[str, Callable[[str], Any]] = {
    "target": str,
    "arm": str,
    "seed": int,
    "shots": _read_shots,
    "learning_rate": float,
}
_RESULT: dict[str, Callable[[str], Any]] = {
    "backbone": str,
    "matcher": str,
    "start": str,
    "n": int,
    "steps": int,
    "images": int,
    "classifier_images": int,
    "seconds": float,
    "finetune_seconds": float,
    "classifier_seconds": float,
    "settings": str,
}
_METRIC: dict[str, Callable[[str], Any]] = {"split": str, "metric": str, "value": float}
_TYPES = {**_CELL, **_RESULT, **_METRIC}
COLUMNS = tuple(_TYPES)

_KINDS = {int: "an integer", _read_shots: "an integer, or empty", float: "a number"}
_WAY_OUT = "correct it, or delete the file and let `specialist compare` write it again"


def to_csv(results: Iterable[Result]) -> str:
    """Returns the results as CSV, one row a metric.

    Raises:
      ValueError: a cell has two results, or a result has no metric.
    """
    text = io.StringIO()
    # Quoted, since a text may hold a carriage return. Numbers are written with all digits that tell them apart.
    lines = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    lines.writerow(COLUMNS)
    seen = set()
    for result in results:
        if result.cell in seen:
            raise ValueError(f"results: two of {result.cell}; give one for each cell")
        if not result.metrics:
            raise ValueError(f"results: that of {result.cell} has no metric; give those of its eval split at least")
        seen.add(result.cell)
        cell = [getattr(result.cell, name) for name in _CELL]
        fields = [getattr(result, name) for name in _RESULT]
        for (split, metric), value in result.metrics.items():
            lines.writerow([*cell, *fields, split, metric, float(value)])
    return text.getvalue()


def from_csv(text: str, name: str = FILE_NAME) -> list[Result]:
    """Returns the results in a text from `to_csv`, in its order.

    Args:
      text: the CSV. Further columns are ignored.
      name: of the file, for errors.

    Raises:
      ValueError: a column is missing, a value is not of its column's type, a cell's rows do not fit together, or a
        metric of a cell stands twice. The message names file, line and way out.
    """
    lines = csv.reader(io.StringIO(text, newline=""))
    header = next(lines, [])
    if missing := [column for column in COLUMNS if column not in header]:
        raise ValueError(
            f"{name}, line 1: no column {', '.join(missing)}; its first line must name the columns {', '.join(COLUMNS)}"
        )
    results: dict[Cell, Result] = {}
    metrics: dict[Cell, dict[tuple[str, str], float]] = {}
    for row in lines:
        place = f"{name}, line {lines.line_num}"
        if len(row) != len(header):
            raise ValueError(f"{place}: {len(row)} values for {len(header)} columns; {_WAY_OUT}")
        values = _parse(dict(zip(header, row, strict=True)), place)
        cell = Cell(**{column: values[column] for column in _CELL})
        found = metrics.setdefault(cell, {})
        result = Result(cell, **{column: values[column] for column in _RESULT}, metrics=found)
        first = results.setdefault(cell, result)
        if different := [column for column in _RESULT if getattr(first, column) != getattr(result, column)]:
            column = different[0]
            raise ValueError(
                f"{place}: {column}: {getattr(result, column)!r}, but {getattr(first, column)!r} in an earlier line of "
                f"the same cell ({cell}); {_WAY_OUT}"
            )
        key = values["split"], values["metric"]
        if key in found:
            raise ValueError(f"{place}: {key[1]} on {key[0]} of {cell} stands twice; remove one of the lines")
        found[key] = values["value"]
    return list(results.values())


def write(path: str | os.PathLike, results: Iterable[Result]) -> None:
    """Writes the results as CSV to `path`, completely or not at all. Makes the folder if necessary.

    Raises:
      ValueError: as `to_csv`, or the file cannot be written.
    """
    files.write_text(path, to_csv(results))


def read(path: str | os.PathLike) -> list[Result]:
    """Reads the results at `path`.

    Raises:
      ValueError: as `from_csv`, or the file is not there or is not a UTF-8 text.
    """
    try:
        text = pathlib.Path(path).read_bytes().decode("utf-8-sig")  # a spreadsheet may have put a mark before it
    except FileNotFoundError:
        raise ValueError(f"{path}: not there; run `specialist compare` first, which writes it") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start}); {_WAY_OUT}") from error
    return from_csv(text, str(path))


def join(parts: Sequence[tuple[str, Sequence[Result]]]) -> list[Result]:
    """Returns the results of several workspaces as one list, for tables across backbones.

    Args:
      parts: (workspace, its results).

    Raises:
      ValueError: two workspaces have a result of the same cell and backbone.
    """
    seen: dict[tuple[Cell, str], str] = {}
    for workspace, results in parts:
        for result in results:
            other = seen.setdefault((result.cell, result.backbone), workspace)
            if other != workspace:
                raise ValueError(
                    f"{workspace}: has a result of {result.cell}, {result.backbone}, and so has {other}; join "
                    "workspaces of different backbones, targets, arms or seeds"
                )
    return [result for _, results in parts for result in results]


def _parse(texts: Mapping[str, str], place: str) -> dict[str, Any]:
    values = {}
    for column, read_value in _TYPES.items():
        try:
            values[column] = read_value(texts[column])
        except ValueError:
            raise ValueError(f"{place}: {column}: {texts[column]!r} is not {_KINDS[read_value]}; {_WAY_OUT}") from None
    return values
