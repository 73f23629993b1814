"""The (example, label) pairs of a source's train split, as three columns. Pure."""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.artifacts import index

# Number of pairs that are processed at a time, so that temporary arrays take only some megabytes.
_PART = 1 << 20


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The pairs, and the examples that they belong to.

    Attributes:
      rows: int32 [pairs], the example's row in the index; every example has at least one pair.
      labels: int32 [pairs].
      keys: uint64 [examples], `index.id_key` of each example's id.
      num_labels: K, the size of the vocabulary.

    Raises:
      ValueError: an example has no label, or one twice; a label is outside the vocabulary; two examples have one id.
    """

    rows: np.ndarray
    labels: np.ndarray
    keys: np.ndarray
    num_labels: int

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.labels):
            raise ValueError(f"labels: {len(self.labels)} of them for {len(self.rows)} rows")
        if not len(self.keys):
            raise ValueError("keys: the source's train split has no examples")
        labelled = np.zeros(len(self.keys), bool)
        labelled[self.rows] = True
        if not labelled.all():
            raise ValueError(f"rows: the example in row {labelled.argmin()} has no label; each needs at least one")
        for label in (self.labels.min(), self.labels.max()):
            if not 0 <= label < self.num_labels:
                raise ValueError(f"labels: {label} is outside the vocabulary of {self.num_labels} labels")
        ordered = np.sort(self.keys)
        twice = ordered[1:] == ordered[:-1]
        if twice.any():
            rows = np.flatnonzero(self.keys == ordered[twice.argmax()])
            raise ValueError(f"keys: the examples in rows {rows[0]} and {rows[1]} have the same id; ids must be unique")
        if not self.single_label:
            self._check_labels_differ()

    def _check_labels_differ(self) -> None:
        pairs = self.rows.astype(np.int64) * self.num_labels + self.labels
        pairs.sort()
        twice = pairs[1:] == pairs[:-1]
        if twice.any():
            row, label = divmod(int(pairs[twice.argmax()]), self.num_labels)
            raise ValueError(f"labels: the example in row {row} has label {label} twice; list each label once")

    @classmethod
    def of_index(cls, table: pa.Table, num_labels: int) -> "Pairs":
        """Returns the pairs of an index (its columns key and labels)."""
        rows, labels = index.label_pairs(table["labels"], num_labels)
        return cls(rows=rows, labels=labels, keys=table["key"].to_numpy(), num_labels=num_labels)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def single_label(self) -> bool:
        """Whether every example has exactly one label."""
        return len(self.rows) == len(self.keys)

    @functools.cached_property
    def counts(self) -> np.ndarray:
        """N_y: int64 [labels]."""
        counts = np.zeros(self.num_labels, np.int64)
        for part in self.parts():
            counts += np.bincount(self.labels[part], minlength=self.num_labels)
        return counts

    def parts(self) -> Iterator[slice]:
        """Yields slices that cover the pairs."""
        for start in range(0, len(self), _PART):
            yield slice(start, start + _PART)

    def label_sums(self, values: np.ndarray) -> np.ndarray:
        """Returns float64 [labels]: the sum of `values`, [examples], over the examples that carry each label."""
        sums = np.zeros(self.num_labels)
        for part in self.parts():
            sums += np.bincount(self.labels[part], weights=values[self.rows[part]], minlength=self.num_labels)
        return sums

    def example_sums(self, values: np.ndarray) -> np.ndarray:
        """Returns [examples]: the sum of `values`, [pairs], over the pairs of each example, in the type of `values`."""
        sums = np.zeros(len(self.keys), values.dtype)
        if self.single_label:
            sums[self.rows] = values
        else:
            np.add.at(sums, self.rows, values)
        return sums

    def best_ranks(self, ranks: np.ndarray) -> np.ndarray:
        """Returns int32 [examples]: the lowest of the `ranks`, int32 [labels], of each example's labels."""
        if self.single_label:
            best = np.empty(len(self.keys), np.int32)
            best[self.rows] = ranks[self.labels]
        else:
            best = np.full(len(self.keys), np.iinfo(np.int32).max, np.int32)
            np.minimum.at(best, self.rows, ranks[self.labels])
        return best
