"""What the models of a comparison predict for the test images: one Parquet file a cell, aligned by the images' ids.

Layout: `<folder>/predictions/<target>/<arm>/seed-<seed>-shots-<shots or all>-rate-<learning rate>.parquet`, one row an
image: `id` (string), `label` and `predicted` (int64, indices of the target's classes), `probability` (float32, of the
predicted class).
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.compare import files
from pipeline.compare.rows import Cell

FOLDER = "predictions"
SCHEMA = pa.schema(
    [("id", pa.string()), ("label", pa.int64()), ("predicted", pa.int64()), ("probability", pa.float32())]
)

_WAY_OUT = "delete the file and let `specialist compare` write it again"


@dataclasses.dataclass(frozen=True)
class Correctness:
    """Which cells are right on which test images.

    Attributes:
      ids: the ids of the images, sorted.
      labels: int64 [images], their classes.
      correct: bool [cells, images], in the order in which the cells were asked for.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    correct: np.ndarray


def path(folder: str | os.PathLike, cell: Cell) -> pathlib.Path:
    """Returns the path of a cell's predictions in the folder of a comparison."""
    shots = "all" if cell.shots is None else cell.shots
    name = f"seed-{cell.seed}-shots-{shots}-rate-{cell.learning_rate!r}.parquet"
    return pathlib.Path(folder, FOLDER, cell.target, cell.arm, name)


def write(
    folder: str | os.PathLike,
    cell: Cell,
    ids: Sequence[str],
    labels: np.ndarray,
    predicted: np.ndarray,
    probability: np.ndarray,
) -> None:
    """Writes a cell's predictions, completely or not at all. Makes the folder if necessary.

    Args:
      folder: of the comparison.
      cell: whose they are.
      ids: of the test images, in any order.
      labels: int [images], their classes.
      predicted: int [images], the predicted classes.
      probability: float [images], of the predicted classes.

    Raises:
      ValueError: the lengths differ, an id stands twice, or the file cannot be written.
    """
    lengths = {"ids": len(ids), "labels": len(labels), "predicted": len(predicted), "probability": len(probability)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"predictions of {cell}: {lengths}; give one of each for every image")
    if len(set(ids)) < len(ids):
        repeated = next(name for name, times in collections.Counter(ids).items() if times > 1)
        raise ValueError(f"predictions of {cell}: the id {repeated!r} stands twice; ids must be unique")
    columns = {"id": ids, "label": labels, "predicted": predicted, "probability": probability}
    with files.write_whole(path(folder, cell)) as temporary:
        pq.write_table(
            pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA), temporary
        )


def read(folder: str | os.PathLike, cell: Cell) -> pa.Table:
    """Reads a cell's predictions: a table of `SCHEMA`, sorted by id.

    Raises:
      ValueError: there are none, or the file is damaged.
    """
    file = path(folder, cell)
    try:
        table = pq.ParquetFile(file).read(SCHEMA.names)  # `read_table` would add columns for the names of folders
    except FileNotFoundError:
        raise ValueError(f"{file}: not there; run `specialist compare` again, which writes it") from None
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{file}: is damaged ({error}); {_WAY_OUT}") from error
    if table.num_columns < len(SCHEMA):
        raise ValueError(f"{file}: has the columns {table.column_names}, not {SCHEMA.names}; {_WAY_OUT}")
    if pc.count_distinct(table["id"]).as_py() < len(table):
        raise ValueError(f"{file}: an id stands twice; {_WAY_OUT}")
    return table.cast(SCHEMA).sort_by("id")


def correct(folder: str | os.PathLike, cells: Sequence[Cell]) -> Correctness:
    """Returns on which test images the cells are right, aligned by id.

    Args:
      folder: of the comparison.
      cells: of one target, for example those of an arm and of the reference, so that their columns are the same.

    Raises:
      ValueError: there is no cell, a file is missing or damaged, or the files have other images or other labels.
    """
    if not cells:
        raise ValueError("cells: none; give one at least")
    tables = [read(folder, cell) for cell in cells]
    ids, labels = tables[0]["id"].to_pylist(), tables[0]["label"].to_numpy()
    for cell, table in zip(cells, tables, strict=True):
        found = table["id"].to_pylist()
        if found != ids:
            missing, more = sorted(set(ids) - set(found)), sorted(set(found) - set(ids))
            what = f"lacks {missing[0]!r}" if missing else f"has {more[0]!r}, which is missing"
            raise ValueError(
                f"{path(folder, cell)}: {what} in {path(folder, cells[0])}; the models were tested on different "
                f"images: delete both files and let `specialist compare` write them again"
            )
        if (different := table["label"].to_numpy() != labels).any():
            at = int(different.argmax())
            raise ValueError(
                f"{path(folder, cell)}: {ids[at]!r} has the label {table['label'][at]}, but {labels[at]} in "
                f"{path(folder, cells[0])}; the labels have changed: delete both files and let `specialist compare` "
                "write them again"
            )
    right = np.stack([table["predicted"].to_numpy() == table["label"].to_numpy() for table in tables])
    return Correctness(tuple(ids), labels, right)
