"""The draws of a training: which record each of them is, and the records read by their places."""

import dataclasses
import functools
import itertools
import os
import tempfile
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components import records, storage
from components.artifacts import plan
from components.parallel_map import parallel_map
from trainer.data.permutation import permute

_SMALL_RECORD = 16 << 10  # bytes; below it a read costs more than the bytes do, and neighbours are read together
_MOST_GAP = {False: 16 << 10, True: 128 << 10}  # bytes between them that are read too: on a disk, on an object store
_BLOCK = 1 << 20  # bytes that are read at once, or a single record if it is longer
_REMOTE_READS = 32  # under way at once: an object store answers after tens of milliseconds


@dataclasses.dataclass(frozen=True)
class Draws:
    """The draws of a pass over the data: each example that is taken, as often as the plan takes it.

    Passes follow each other, each in another pseudo-random order. So the draw at a position of a training depends on
    the seed and the position alone, whatever the processes and wherever it begins. It holds 24 bytes for each example
    that is taken, and 4 more if the plan has weights.

    Attributes:
      files: paths of record files.
      file: int32 [examples], the number of the file that holds the record.
      offsets, lengths: int64 and int32 [examples], its place in the file; see `components.records`.
      ends: int64 [examples], the number of draws of this example and those before it.
      weights: float32 [examples], factors of the loss, or None.
      unpacked: the folder of files that were compressed, which is deleted with this object; or None.
    """

    files: Sequence[str]
    file: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    ends: np.ndarray
    weights: np.ndarray | None = None
    unpacked: tempfile.TemporaryDirectory | None = None

    def __len__(self) -> int:
        """The number of draws of a pass."""
        return int(self.ends[-1])

    @functools.cached_property
    def mean_bytes(self) -> float:
        """The mean length of the records that are drawn."""
        return float(self.lengths @ np.diff(self.ends, prepend=0) / len(self))

    def rows(self, positions: np.ndarray, seed: int) -> np.ndarray:
        """Returns the examples that are drawn at these positions of a training, int64 [positions]."""
        return np.searchsorted(self.ends, permute(positions, len(self), seed), side="right")

    def read(self, rows: np.ndarray) -> list[bytes]:
        """Returns the records of these examples. One that occurs several times is read once.

        Raises:
          ValueError: a record is damaged, or not where its index says.
        """
        wanted, occurrences = np.unique(rows, return_inverse=True)
        path = self.files[0]
        threads = _REMOTE_READS if storage.is_remote(path) else storage.reading_threads(path)
        blocks = parallel_map(self._read_block, self._blocks(wanted), threads, batch=1)
        found = list(itertools.chain.from_iterable(blocks))
        return [found[i] for i in occurrences.tolist()]

    def _blocks(self, rows: np.ndarray) -> list[np.ndarray]:
        """Returns rising `rows` in groups, each of which is read at once."""
        gap = _MOST_GAP[storage.is_remote(self.files[0])] if self.mean_bytes < _SMALL_RECORD else 0
        file, starts = self.file[rows], self.offsets[rows]
        stops = starts + self.lengths[rows] + records.FRAME
        apart = (file[1:] != file[:-1]) | (starts[1:] - stops[:-1] > gap)
        first = np.concatenate([[0], 1 + np.flatnonzero(apart)])  # of each run of neighbours
        run = np.repeat(first, np.diff(first, append=len(rows)))
        number = (starts - starts[run]) // _BLOCK
        return np.split(rows, 1 + np.flatnonzero(apart | (number[1:] != number[:-1])))

    def _read_block(self, rows: np.ndarray) -> list[bytes]:
        return records.read_block(self.files[self.file[rows[0]]], self.offsets[rows], self.lengths[rows])


def open_draws(patterns: Sequence[str], *, index_pattern: str | None = None, plan_pattern: str | None = None) -> Draws:
    """Returns the draws from record files.

    Args:
      patterns: file patterns of TFRecords. Compressed ones are unpacked to a temporary folder first.
      index_pattern: pattern of the files of their index, one a record file, in the same order. None: the record files
        are read once, to see where their records stand.
      plan_pattern: pattern of the files of a ResamplePlan, likewise. None: every example is drawn once.

    Raises:
      ValueError: no file matches, the files hold no example, the plan takes none, or index or plan are of other files.
    """
    files = list_files(patterns)
    indices = _list_beside("index", index_pattern, files)
    plans = _list_beside("plan", plan_pattern, files)
    unpacked = None
    if any(map(storage.is_compressed, files)):
        unpacked = tempfile.TemporaryDirectory(prefix="unpacked-")

    def read_file(number: int) -> tuple[str, dict[str, np.ndarray]]:
        file, plan_path = files[number], plans[number]
        if storage.is_compressed(file):
            assert unpacked is not None
            path = os.path.join(unpacked.name, f"{number:06d}")
            lengths = records.unpack(file, path)
            offsets = records.compute_offsets(lengths)
        else:
            path = file
            offsets, lengths = _read_places(file, indices[number])
        copies, weights = np.ones(len(lengths), np.int32), None
        if plan_path is not None:
            table = storage.read_table(plan_path)
            copies, weights = plan.copies_of(table), plan.weights_of(table)
            if len(copies) != len(lengths):
                raise ValueError(
                    f"plan: {plan_path} has {len(copies)} rows, but {file} {len(lengths)} records, another number; "
                    "make the plan from the same source"
                )
        taken = np.flatnonzero(copies)
        columns = {
            "file": np.full(len(taken), number, np.int32),
            "offsets": offsets[taken],
            "lengths": lengths[taken].astype(np.int32),
            "ends": copies[taken].astype(np.int64),
        }
        return path, columns if weights is None else {**columns, "weights": weights[taken]}

    found = list(parallel_map(read_file, range(len(files)), storage.reading_threads(files[0])))
    columns = {name: np.concatenate([part[name] for _, part in found]) for name in found[0][1]}
    if not len(columns["ends"]):
        if plan_pattern:
            raise ValueError(f"plan: {plan_pattern} takes no example of {patterns}; make a plan with at least one")
        raise ValueError(f"examples: {patterns} hold no example; training needs at least one")
    np.cumsum(columns["ends"], out=columns["ends"])
    return Draws([path for path, _ in found], **columns, unpacked=unpacked)


def list_files(patterns: Sequence[str]) -> list[str]:
    """Returns the files that match any of `patterns`, sorted.

    Raises:
      ValueError: there is none.
    """
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"examples: no file matches {patterns}; check the folder and its splits")
    return files


def _list_beside(argument: str, pattern: str | None, files: Sequence[str]) -> Sequence[str | None]:
    if pattern is None:
        return [None] * len(files)
    found = sorted(tf.io.gfile.glob(pattern))
    if len(found) != len(files):
        raise ValueError(
            f"{argument}: {len(found)} files for {len(files)} record files; both must be of one ExampleGen's run"
        )
    return found


def _read_places(path: str, index_path: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns offsets and lengths of the records of an uncompressed file, int64 [records]."""
    places = records.places_of(storage.read_table(index_path, ["offset", "length"])) if index_path else None
    if places is None:
        lengths = np.array([len(record) for record in storage.read_records(path)], np.int64)
        return records.compute_offsets(lengths), lengths
    records.check_size(path, *places)
    return places
