"""The rows of docs/results.md: two CSVs a data set in benchmarks/results/, which grow cell by cell.

<data>.csv            the rows of `specialist compare` (pipeline/compare/rows.py), one a metric, with the columns
                      `data`, `commit`, `code` and `machine`.
<data>_correct.csv    one row a cell: which test images its model is right on, for intervals over images.
"""

import base64
import csv
import dataclasses
import functools
import hashlib
import io
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa

from components.code_version import code_version
from pipeline.compare import files, rows
from pipeline.compare.rows import Result

FOLDER = pathlib.Path(__file__).parent / "results"

_ORIGIN = ("commit", "code", "machine")
_CORRECT = ("arm", "seed", "test_images", "test_set", "correct")
_PACKAGES = ("components", "pipeline", "schemas", "trainer")
# What decides about the result of a cell: the nodes of the pipeline, and what is behind them.
_CODE = ("pipeline.nodes.arms", "trainer.pretrain", "trainer.finetune")


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a row is from.

    Attributes:
      commit: the last one that changed the packages; '+' behind it: they were changed since. '': it is not known.
      code: hash of the code behind the pipeline's nodes.
      machine: the processor, its cores, the memory, and the versions that matter.
    """

    commit: str
    code: str
    machine: str


@dataclasses.dataclass(frozen=True)
class Entry:
    """A finished cell.

    Attributes:
      result: its row.
      origin: where it is from.
      correct: bool [test images], by the images' ids: whether the model is right.
      test_set: hash of the ids and labels of the test images.
    """

    result: Result
    origin: Origin
    correct: np.ndarray
    test_set: str


def read(data: str, folder: str | os.PathLike = FOLDER) -> dict[tuple[str, int], Entry]:
    """Returns (arm, seed) → the entry of a data set, in the order in which they were added.

    Raises:
      ValueError: a file is damaged, or the two do not fit together. The message names the file.
    """
    path = pathlib.Path(folder, f"{data}.csv")
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    results = rows.from_csv(text, str(path))
    origins = {
        (row["arm"], int(row["seed"])): Origin(*(row[column] for column in _ORIGIN))
        for row in csv.DictReader(io.StringIO(text, newline=""))
    }
    correct_path = _correct_path(data, folder)
    with open(correct_path, encoding="utf-8", newline="") as file:
        bits = {(row["arm"], int(row["seed"])): row for row in csv.DictReader(file)}
    entries = {}
    for result in results:
        key = (result.cell.arm, result.cell.seed)
        if key not in bits:
            raise ValueError(f"{correct_path}: has no row of {result.cell}; delete its rows in {path.name}")
        row = bits[key]
        correct = _unpack(row["correct"], int(row["test_images"]))
        if abs(correct.mean() - result.metrics["test", "accuracy"]) > 1e-6:
            raise ValueError(
                f"{correct_path}: {correct.mean():.4f} of the images for {result.cell}, but {path.name} has "
                f"{result.metrics['test', 'accuracy']:.4f}; delete the rows of the cell in both"
            )
        entries[key] = Entry(result, origins[key], correct, row["test_set"])
    return entries


def write(data: str, entries: Iterable[Entry], folder: str | os.PathLike = FOLDER) -> None:
    """Writes the entries of a data set, each file whole or not at all."""
    entries = list(entries)
    by_cell = {entry.result.cell: entry for entry in entries}
    tidy = list(csv.reader(io.StringIO(rows.to_csv(by_cell[cell].result for cell in by_cell), newline="")))
    header = tidy[0]
    arm, seed = header.index("arm"), header.index("seed")
    origins = {(entry.result.cell.arm, str(entry.result.cell.seed)): entry.origin for entry in entries}
    lines = [["data", *header, *_ORIGIN]]
    lines += [[data, *row, *dataclasses.astuple(origins[row[arm], row[seed]])] for row in tidy[1:]]
    bits = [
        [entry.result.cell.arm, entry.result.cell.seed, len(entry.correct), entry.test_set, _pack(entry.correct)]
        for entry in entries
    ]
    # The bits first: rows without them could not be read.
    files.write_text(_correct_path(data, folder), _to_csv([_CORRECT, *bits]))
    files.write_text(pathlib.Path(folder, f"{data}.csv"), _to_csv(lines))


def make_entry(result: Result, predictions: pa.Table, origin: Origin) -> Entry:
    """Returns the entry of a cell.

    Args:
      result: of it.
      predictions: of the test images, by id, as `pipeline.compare.predictions.read` returns them.
      origin: where it is from.
    """
    labels = predictions["label"].to_numpy()
    test_set = hashlib.sha256("\n".join(predictions["id"].to_pylist()).encode() + labels.astype("<i8").tobytes())
    return Entry(result, origin, predictions["predicted"].to_numpy() == labels, test_set.hexdigest()[:12])


@functools.cache
def find_origin() -> Origin:
    """Returns where the rows of this process are from. Names neither the host nor a path."""
    import tensorflow as tf

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Origin(
        _find_commit(),
        code_version(*_CODE),
        f"{_find_processor()}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, "
        f"TensorFlow {tf.__version__}",
    )


def _find_commit() -> str:
    root = pathlib.Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments, "--", *_PACKAGES], cwd=root, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("log", "-1", "--format=%h", "--abbrev=10") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _find_processor() -> str:
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _correct_path(data: str, folder: str | os.PathLike) -> pathlib.Path:
    return pathlib.Path(folder, f"{data}_correct.csv")


def _to_csv(lines: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def _pack(correct: np.ndarray) -> str:
    return base64.b64encode(np.packbits(correct).tobytes()).decode()


def _unpack(text: str, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count).astype(bool)


def list_missing(
    wanted: Iterable[tuple[str, str, int]], entries: Mapping[str, Mapping[tuple[str, int], Entry]]
) -> list[tuple[str, str, int]]:
    """Returns those of `wanted` (data, arm, seed) that have no entry, none twice, in their order."""
    return [(data, arm, seed) for data, arm, seed in dict.fromkeys(wanted) if (arm, seed) not in entries[data]]
