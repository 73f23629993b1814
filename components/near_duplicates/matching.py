"""Finds all pairs of 64-bit hashes within a Hamming distance, exactly and without comparing all pairs. Pure.

This is multi-index hashing (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index hashing").
The 64 bits are split into four substrings. If two hashes differ in at most d = 4r + a bits, 0 ≤ a < 4, then one of the
first a + 1 substrings differs in at most r bits, or one of the others in at most r − 1. Otherwise they would differ in
at least (a + 1)(r + 1) + (3 − a) r = d + 1 bits. Only pairs that a table of substrings matches are compared.
"""

import itertools
from collections.abc import Iterator

import numpy as np

MAX_DISTANCE = 10
_BITS, _SUBSTRINGS = 16, 4
# The tables hold all substrings within the radius of each hash's, so that a query needs one look-up. Above this number
# of entries (4 bytes each) they hold only the hashes' own, and a query looks up all substrings within the radius.
_MAX_ENTRIES = 1 << 26
_BLOCK = 1 << 12  # queries whose candidates are counted at a time
_CANDIDATES = 1 << 18  # pairs that are compared at a time; their arrays fit in the cache


class MultiIndex:
    """An index of hashes that finds those near a query.

    Memory: about 40 bytes a hash, and at most 256 MB for the tables.

    Args:
      hashes: uint64 [hashes].
      distance: largest number of differing bits of a pair, 0 to MAX_DISTANCE.
      max_entries: largest number of entries of the tables at which they hold all substrings within the radius.

    Raises:
      ValueError: the distance is out of range.
    """

    def __init__(self, hashes: np.ndarray, distance: int, *, max_entries: int = _MAX_ENTRIES):
        check_distance(distance)
        self._hashes = np.ascontiguousarray(hashes, np.uint64)
        self._distance = distance
        radius, remainder = divmod(distance, _SUBSTRINGS)
        radii = [radius if i <= remainder else radius - 1 for i in range(_SUBSTRINGS)]
        masks = [_masks(radius) for radius in radii]
        is_expanded = len(hashes) * sum(map(len, masks)) <= max_entries
        self._tables = [
            (
                i,
                _Table(_substring(self._hashes, i), table_masks if is_expanded else table_masks[:1]),
                table_masks[:1] if is_expanded else table_masks,
            )
            for i, table_masks in enumerate(masks)
            if len(table_masks)
        ]

    def pairs(self, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields the pairs of `queries`, uint64 [queries], and hashes, in blocks of consecutive queries.

        Each block is (query, hash, distance): int64, int64 and uint8 [pairs], sorted by query, distance and hash. A
        block has all pairs of its queries. Memory is proportional to the pairs of one query, but at least to 2**18.
        """
        queries = np.ascontiguousarray(queries, np.uint64)
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            counts = sum(table.counts(_substring(block, i), masks) for i, table, masks in self._tables)
            parts = np.cumsum(counts) // _CANDIDATES
            for part in np.split(np.arange(len(block)), 1 + np.flatnonzero(np.diff(parts))):
                rows, matches, distances = self._find(block[part])
                if len(rows):
                    yield rows + (start + part[0]), matches, distances

    def _find(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        near = []
        for i, table, masks in self._tables:
            substrings = _substring(queries, i)
            for mask in masks:
                rows, matches = table.candidates(substrings ^ mask)
                distances = popcount(queries[rows] ^ self._hashes[matches])
                kept = np.flatnonzero(distances <= self._distance)
                near.append((rows[kept], matches[kept], distances[kept]))
        rows, matches, distances = (np.concatenate(column) for column in zip(*near, strict=True))
        # Several substrings can match the same pair.
        order = np.lexsort((matches, distances, rows))
        rows, matches, distances = rows[order], matches[order], distances[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (matches[1:] != matches[:-1])
        return rows[first], matches[first].astype(np.int64), distances[first]


class _Table:
    """A table: substring → the hashes that have it, or have it after a XOR with one of the masks."""

    def __init__(self, substrings: np.ndarray, masks: np.ndarray):
        values = (substrings[:, np.newaxis] ^ masks).ravel()
        # numpy's stable sort of 16 bits is a radix sort.
        self._rows = (np.argsort(values, kind="stable") // len(masks)).astype(np.uint32)
        self._starts = np.zeros((1 << _BITS) + 1, np.int64)
        np.cumsum(np.bincount(values, minlength=1 << _BITS), out=self._starts[1:])

    def counts(self, substrings: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Returns the number of candidates of each query over all masks, int64 [queries]."""
        sizes = np.diff(self._starts)
        return sum(sizes[substrings ^ mask] for mask in masks)

    def candidates(self, substrings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the row numbers (query, hash) of all pairs that share a substring."""
        starts = self._starts[substrings]
        counts = self._starts[substrings.astype(np.int64) + 1] - starts
        ends = np.cumsum(counts)
        rows = np.repeat(np.arange(len(substrings)), counts)
        return rows, self._rows[np.arange(len(rows)) + np.repeat(starts - (ends - counts), counts)]


def check_distance(distance: int) -> None:
    """Raises a ValueError if `distance` is out of range."""
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(
            f"distance: {distance} of 64 bits; it must be 0 to {MAX_DISTANCE}, images further apart are not alike"
        )


def popcount(values: np.ndarray) -> np.ndarray:
    """Returns the number of set bits of uint64 `values`, uint8 of the same shape."""
    if hasattr(np, "bitwise_count"):  # from numpy 2 on
        return np.bitwise_count(values)
    # Adds the bits in groups of 2, 4 and 8; the product adds up the eight bytes in the highest one.
    sums = values >> np.uint64(1)
    sums &= np.uint64(0x5555555555555555)
    np.subtract(values, sums, out=sums)
    halves = sums >> np.uint64(2)
    for part in (sums, halves):
        part &= np.uint64(0x3333333333333333)
    sums += halves
    np.right_shift(sums, np.uint64(4), out=halves)
    sums += halves
    sums &= np.uint64(0x0F0F0F0F0F0F0F0F)
    sums *= np.uint64(0x0101010101010101)
    sums >>= np.uint64(56)
    return sums.astype(np.uint8)


def _substring(hashes: np.ndarray, i: int) -> np.ndarray:
    return (hashes >> np.uint64(_BITS * i)).astype(np.uint16)


def _masks(radius: int) -> np.ndarray:
    """Returns the masks with at most `radius` set bits, uint16 [masks], the empty one first; none for radius -1."""
    bits = [np.uint16(1 << i) for i in range(_BITS)]
    subsets = [subset for size in range(radius + 1) for subset in itertools.combinations(bits, size)]
    return np.array([np.bitwise_or.reduce(np.array(subset, np.uint16)) for subset in subsets], np.uint16)
