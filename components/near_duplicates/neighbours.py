"""The target images that equal or resemble those of a part of the source. Pure.

Of a source image no more than the MAX_MATCHES nearest target images are listed: thousands of images that are all alike
would else make millions of pairs, of which the first already says all that matters.
"""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts import exclusions
from components.near_duplicates import matching

MAX_MATCHES = 8
TARGET_COLUMNS = ("source_id", "split", "content_hash", "perceptual_hash", "perceptual_hash_flipped")
SOURCE_COLUMNS = ("source_id", "split", "content_hash", "perceptual_hash")

_Each: TypeAlias = np.ndarray | float


@dataclasses.dataclass(frozen=True)
class Matches:
    """Pairs of images.

    Attributes:
      source, target: int64 [pairs], rows.
      reason: int8 [pairs], of `exclusions.REASONS`.
      distance: float32 [pairs]: differing bits, or 1 − cosine for embeddings.
      flipped: bool [pairs].
    """

    source: np.ndarray
    target: np.ndarray
    reason: np.ndarray
    distance: np.ndarray
    flipped: np.ndarray

    @classmethod
    def of(
        cls, source: np.ndarray, target: np.ndarray, reason: int, distance: _Each, flipped: _Each = False
    ) -> "Matches":
        """Returns pairs; what is one for all is given once."""

        def each(value: _Each, kind: npt.DTypeLike) -> np.ndarray:
            return np.broadcast_to(np.asarray(value, kind), len(source))

        return cls(source, target, each(reason, np.int8), each(distance, np.float32), each(flipped, bool))

    @classmethod
    def concatenate(cls, parts: Sequence["Matches"]) -> "Matches":
        """Returns the pairs of all `parts`."""
        parts = [cls.of(np.empty(0, np.int64), np.empty(0, np.int64), 0, 0), *parts]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.names()))

    @classmethod
    def names(cls) -> list[str]:
        """Returns the names of the columns."""
        return [field.name for field in dataclasses.fields(cls)]

    def take(self, which: np.ndarray) -> "Matches":
        """Returns the pairs `which`, by number or mask."""
        return Matches(*(getattr(self, name)[which] for name in self.names()))

    def nearest(self) -> "Matches":
        """Returns each pair of images once, and of a source image's the nearest, in order; the surest reason first."""
        ordered = self.take(np.lexsort((self.flipped, self.distance, self.reason, self.target, self.source)))
        new = np.ones(len(ordered.source), bool)
        new[1:] = (np.diff(ordered.source) != 0) | (np.diff(ordered.target) != 0)
        once = ordered.take(new)
        ordered = once.take(np.lexsort((once.target, once.flipped, once.distance, once.reason, once.source)))
        return ordered.take(_first(ordered.source, MAX_MATCHES))


class HashNeighbours:
    """The images of the targets, in which those that resemble an image of the source are looked up.

    Args:
      targets: the indices of all targets with the columns TARGET_COLUMNS, and `target`, the name.
      distance: the largest distance of two perceptual hashes, 0 to `matching.MAX_DISTANCE`.
      flips: whether the mirror images of the targets' count too.
    """

    def __init__(self, targets: pa.Table, *, distance: int, flips: bool):
        self._targets = targets
        self._bytes = pc.unique(targets["content_hash"])
        self._same_bytes = _Groups(pc.index_in(targets["content_hash"], value_set=self._bytes).to_numpy())
        rows, hashes = _present(targets["perceptual_hash"])
        flipped_rows, flipped_hashes = _present(targets["perceptual_hash_flipped"])
        if not flips:
            flipped_rows, flipped_hashes = flipped_rows[:0], flipped_hashes[:0]
        self._rows = np.concatenate([rows, flipped_rows])
        self._flipped = np.arange(len(self._rows)) >= len(rows)
        # Equal hashes are looked up once, however many images share one.
        unique, group = np.unique(np.concatenate([hashes, flipped_hashes]), return_inverse=True)
        self._same_hash = _Groups(group)
        self._index = matching.MultiIndex(unique, distance)

    def __call__(self, source: pa.Table) -> pa.Table:
        """Returns the exclusions among the images of `source`, an index with the columns SOURCE_COLUMNS."""
        matches = Matches.concatenate([self._identical(source), self._near(source)])
        return exclusions_table(source, self._targets, matches.nearest())

    def _identical(self, source: pa.Table) -> Matches:
        found = pc.index_in(source["content_hash"], value_set=self._bytes)
        rows = np.flatnonzero(pc.is_valid(found).to_numpy())
        which, target = self._same_bytes.members(found.drop_null().to_numpy(), MAX_MATCHES)
        return Matches.of(rows[which], target, 0, 0)

    def _near(self, source: pa.Table) -> Matches:
        rows, hashes = _present(source["perceptual_hash"])
        unique, group = np.unique(hashes, return_inverse=True)
        parts = []
        for query, found, distance in self._index.pairs(unique):
            # Twice as many as are listed: an image may stand in both for itself and for its mirror image.
            first = _first(query, 2 * MAX_MATCHES)
            query, found, distance = query[first], found[first], distance[first]
            which, entry = self._same_hash.members(found, 2 * MAX_MATCHES)
            part = Matches.of(query[which], self._rows[entry], 1, distance[which], self._flipped[entry])
            parts.append(part.nearest())
        matches = Matches.concatenate(parts)
        which, image = _Groups(group).members(matches.source)
        return dataclasses.replace(matches.take(which), source=rows[image])


def exclusions_table(source: pa.Table, targets: pa.Table, matches: Matches) -> pa.Table:
    """Returns `matches` as exclusions.

    Args:
      source: columns source_id and split.
      targets: columns target, source_id and split.
    """
    from_source, from_target = source.take(matches.source), targets.take(matches.target)
    embedding = matches.reason == exclusions.REASONS.index("embedding")
    columns = {
        "source_id": from_source["source_id"],
        "source_split": from_source["split"],
        "target": from_target["target"],
        "target_id": from_target["source_id"],
        "target_split": from_target["split"],
        "reason": pa.array(exclusions.REASONS, pa.string()).take(pa.array(matches.reason)),
        "distance": pa.array(np.where(embedding, 0, matches.distance).astype(np.int8), mask=embedding),
        "similarity": pa.array(1 - matches.distance, pa.float32(), mask=~embedding),
        "flipped": pa.array(matches.flipped),
    }
    return pa.table([columns[field.name] for field in exclusions.SCHEMA], exclusions.SCHEMA)


class _Groups:
    """Group → its members.

    Args:
      groups: int [members], the group of each.
    """

    def __init__(self, groups: np.ndarray):
        self._members = np.argsort(groups, kind="stable")
        self._sizes = np.bincount(groups)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def members(self, groups: np.ndarray, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns (which of `groups`, member) of all members, or the first `limit` of each."""
        sizes = self._sizes[groups] if limit is None else np.minimum(self._sizes[groups], limit)
        which = np.repeat(np.arange(len(groups)), sizes)
        position = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return which, self._members[self._starts[groups][which] + position]


def _present(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that have a hash, and their hashes."""
    return np.flatnonzero(pc.is_valid(column).to_numpy()), column.drop_null().to_numpy()


def _first(groups: np.ndarray, limit: int) -> np.ndarray:
    """Returns bool: the first `limit` of each group; equal `groups` stand together."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    position = np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))
    return position < limit
