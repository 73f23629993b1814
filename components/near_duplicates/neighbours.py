"""Finds the target images that equal or resemble source images. Pure.

Only the MAX_MATCHES nearest target images of a source image are listed. Otherwise thousands of similar images would
make millions of pairs, though one is enough to exclude the source image.
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

_Column: TypeAlias = np.ndarray | float


@dataclasses.dataclass(frozen=True)
class Matches:
    """Pairs of images.

    Attributes:
      source, target: int64 [pairs], row numbers.
      reason: int8 [pairs], positions in `exclusions.REASONS`.
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
        cls, source: np.ndarray, target: np.ndarray, reason: int, distance: _Column, flipped: _Column = False
    ) -> "Matches":
        """Returns pairs. A scalar applies to all of them."""

        def broadcast(value: _Column, kind: npt.DTypeLike) -> np.ndarray:
            return np.broadcast_to(np.asarray(value, kind), len(source))

        return cls(
            source, target, broadcast(reason, np.int8), broadcast(distance, np.float32), broadcast(flipped, bool)
        )

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
        """Returns the pairs `which`, given as row numbers or a mask."""
        return Matches(*(getattr(self, name)[which] for name in self.names()))

    def nearest(self) -> "Matches":
        """Returns each pair once, for each source image the MAX_MATCHES nearest, sorted by reason and distance."""
        ordered = self.take(np.lexsort((self.flipped, self.distance, self.reason, self.target, self.source)))
        is_first = np.ones(len(ordered.source), bool)
        is_first[1:] = (np.diff(ordered.source) != 0) | (np.diff(ordered.target) != 0)
        unique = ordered.take(is_first)
        ordered = unique.take(
            np.lexsort((unique.target, unique.flipped, unique.distance, unique.reason, unique.source))
        )
        return ordered.take(_mask_first(ordered.source, MAX_MATCHES))


class HashNeighbours:
    """Finds the targets' images that equal, or nearly equal, a source image.

    Args:
      targets: the indices of all targets, with the columns TARGET_COLUMNS and `target`, the name.
      distance: largest distance of two perceptual hashes, 0 to `matching.MAX_DISTANCE`.
      flips: whether mirror images count as near-duplicates.
    """

    def __init__(self, targets: pa.Table, *, distance: int, flips: bool):
        self._targets = targets
        self._bytes = pc.unique(targets["content_hash"])
        self._same_bytes = _Groups(pc.index_in(targets["content_hash"], value_set=self._bytes).to_numpy())
        rows, hashes = _drop_missing(targets["perceptual_hash"])
        flipped_rows, flipped_hashes = _drop_missing(targets["perceptual_hash_flipped"])
        if not flips:
            flipped_rows, flipped_hashes = flipped_rows[:0], flipped_hashes[:0]
        self._rows = np.concatenate([rows, flipped_rows])
        self._flipped = np.arange(len(self._rows)) >= len(rows)
        # Each distinct hash is looked up once, even if several images share it.
        unique, group = np.unique(np.concatenate([hashes, flipped_hashes]), return_inverse=True)
        self._same_hash = _Groups(group)
        self._index = matching.MultiIndex(unique, distance)

    def __call__(self, source: pa.Table) -> pa.Table:
        """Returns the exclusions among the images of `source`, an index with the columns SOURCE_COLUMNS."""
        matches = Matches.concatenate([self._find_identical(source), self._find_near(source)])
        return exclusions_table(source, self._targets, matches.nearest())

    def _find_identical(self, source: pa.Table) -> Matches:
        positions = pc.index_in(source["content_hash"], value_set=self._bytes)
        rows = np.flatnonzero(pc.is_valid(positions).to_numpy())
        which, target = self._same_bytes.members(positions.drop_null().to_numpy(), MAX_MATCHES)
        return Matches.of(rows[which], target, 0, 0)

    def _find_near(self, source: pa.Table) -> Matches:
        rows, hashes = _drop_missing(source["perceptual_hash"])
        unique, group = np.unique(hashes, return_inverse=True)
        parts = []
        for query, match, distance in self._index.pairs(unique):
            # Twice MAX_MATCHES, because an image and its mirror image have an entry each.
            first = _mask_first(query, 2 * MAX_MATCHES)
            query, match, distance = query[first], match[first], distance[first]
            which, entry = self._same_hash.members(match, 2 * MAX_MATCHES)
            part = Matches.of(query[which], self._rows[entry], 1, distance[which], self._flipped[entry])
            parts.append(part.nearest())
        matches = Matches.concatenate(parts)
        which, image = _Groups(group).members(matches.source)
        return dataclasses.replace(matches.take(which), source=rows[image])


def exclusions_table(source: pa.Table, targets: pa.Table, matches: Matches) -> pa.Table:
    """Returns `matches` as a table of exclusions.

    Args:
      source: table with the columns source_id and split.
      targets: table with the columns target, source_id and split.
      matches: pairs of their rows.
    """
    source_rows, target_rows = source.take(matches.source), targets.take(matches.target)
    is_embedding = matches.reason == exclusions.REASONS.index("embedding")
    columns = {
        "source_id": source_rows["source_id"],
        "source_split": source_rows["split"],
        "target": target_rows["target"],
        "target_id": target_rows["source_id"],
        "target_split": target_rows["split"],
        "reason": pa.array(exclusions.REASONS, pa.string()).take(pa.array(matches.reason)),
        "distance": pa.array(np.where(is_embedding, 0, matches.distance).astype(np.int8), mask=is_embedding),
        "similarity": pa.array(1 - matches.distance, pa.float32(), mask=~is_embedding),
        "flipped": pa.array(matches.flipped),
    }
    return pa.table([columns[field.name] for field in exclusions.SCHEMA], exclusions.SCHEMA)


class _Groups:
    """Finds the members of groups.

    Args:
      groups: int [members], the group of each member.
    """

    def __init__(self, groups: np.ndarray):
        self._members = np.argsort(groups, kind="stable")
        self._sizes = np.bincount(groups)
        self._starts = np.cumsum(self._sizes) - self._sizes

    def members(self, groups: np.ndarray, limit: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Returns (position in `groups`, member) for all members, or for the first `limit` of each group."""
        sizes = self._sizes[groups] if limit is None else np.minimum(self._sizes[groups], limit)
        which = np.repeat(np.arange(len(groups)), sizes)
        position = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return which, self._members[self._starts[groups][which] + position]


def _drop_missing(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of the rows with a hash, and their hashes."""
    return np.flatnonzero(pc.is_valid(column).to_numpy()), column.drop_null().to_numpy()


def _mask_first(groups: np.ndarray, limit: int) -> np.ndarray:
    """Returns the mask of the first `limit` members of each group, bool; equal `groups` are adjacent."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    position = np.arange(len(groups)) - np.repeat(starts, np.diff(starts, append=len(groups)))
    return position < limit
