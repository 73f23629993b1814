"""All pairs of 64-bit hashes within a Hamming distance, found exactly without comparing all with all. Pure.

Multi-index hashing (Norouzi, Punjani and Fleet 2012, "Fast search in Hamming space with multi-index hashing"): the 64
bits are cut into four substrings. Of two hashes that differ in at most d = 4r + a bits, 0 ≤ a < 4, either one of the
first a + 1 substrings differs in at most r bits, or one of the others in at most r − 1: if not, they would differ in at
least (a + 1)(r + 1) + (3 − a) r = d + 1 bits. Only pairs that a table of substrings brings together are compared.
"""

import itertools
from collections.abc import Iterator

import numpy as np

MAX_DISTANCE = 10
_BITS, _SUBSTRINGS = 16, 4
# The tables hold every substring within the radius of each hash's, so that a query looks up once; beyond so many
# entries (4 bytes each) they hold the substrings alone, and a query looks up all that is within the radius of its own.
_MAX_ENTRIES = 1 << 26
_BLOCK = 1 << 12  # queries whose candidates are counted at a time
_CANDIDATES = 1 << 18  # pairs that are compared at a time: their arrays stay in the cache


class MultiIndex:
    """Hashes in which those near to other hashes are looked up.

    Memory: at most 256 MB of tables, and about 40 bytes a hash beyond.

    Args:
      hashes: uint64 [hashes].
      distance: the largest number of bits in which a pair may differ, 0 to MAX_DISTANCE.
      max_entries: of the tables; see above.

    Raises:
      ValueError: the distance is out of range.
    """

    def __init__(self, hashes: np.ndarray, distance: int, *, max_entries: int = _MAX_ENTRIES):
        check_distance(distance)
        self._hashes = np.ascontiguousarray(hashes, np.uint64)
        self._distance = distance
        radius, others = divmod(distance, _SUBSTRINGS)
        radii = [radius if i <= others else radius - 1 for i in range(_SUBSTRINGS)]
        masks = [_masks(radius) for radius in radii]
        stored = len(hashes) * sum(map(len, masks)) <= max_entries
        self._tables = [
            (i, _Table(_substring(self._hashes, i), own if stored else own[:1]), own[:1] if stored else own)
            for i, own in enumerate(masks)
            if len(own)
        ]

    def pairs(self, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yields the pairs of `queries`, uint64 [queries], with the hashes, in blocks of consecutive queries.

        Each block is (query, hash, distance): int64, int64 and uint8 [pairs], by query, distance and hash. A block has
        all pairs of its queries. Memory follows the pairs of one query, or 2**18 candidates where that is more.
        """
        queries = np.ascontiguousarray(queries, np.uint64)
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            counts = sum(table.counts(_substring(block, i), masks) for i, table, masks in self._tables)
            parts = np.cumsum(counts) // _CANDIDATES
            for part in np.split(np.arange(len(block)), 1 + np.flatnonzero(np.diff(parts))):
                rows, found, distances = self._of(block[part])
                if len(rows):
                    yield rows + (start + part[0]), found, distances

    def _of(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        near = []
        for i, table, masks in self._tables:
            substrings = _substring(queries, i)
            for mask in masks:
                rows, found = table.candidates(substrings ^ mask)
                distances = popcount(queries[rows] ^ self._hashes[found])
                kept = np.flatnonzero(distances <= self._distance)
                near.append((rows[kept], found[kept], distances[kept]))
        rows, found, distances = (np.concatenate(column) for column in zip(*near, strict=True))
        # Several substrings may have brought the same pair together.
        order = np.lexsort((found, distances, rows))
        rows, found, distances = rows[order], found[order], distances[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (found[1:] != found[:-1])
        return rows[first], found[first].astype(np.int64), distances[first]


class _Table:
    """Substring → the hashes that have it, or one that a mask makes of theirs."""

    def __init__(self, substrings: np.ndarray, masks: np.ndarray):
        values = (substrings[:, np.newaxis] ^ masks).ravel()
        # numpy's stable sort of 16 bits is a radix sort.
        self._rows = (np.argsort(values, kind="stable") // len(masks)).astype(np.uint32)
        self._starts = np.zeros((1 << _BITS) + 1, np.int64)
        np.cumsum(np.bincount(values, minlength=1 << _BITS), out=self._starts[1:])

    def counts(self, substrings: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Returns int64 [queries]: how many candidates each query has under all masks."""
        sizes = np.diff(self._starts)
        return sum(sizes[substrings ^ mask] for mask in masks)

    def candidates(self, substrings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the queries and the hashes of all pairs that share a substring."""
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
    """Returns uint8 of the same shape: how many bits of uint64 `values` are set."""
    if hasattr(np, "bitwise_count"):  # from numpy 2 on
        return np.bitwise_count(values)
    # Sums of 2, 4 and 8 bits side by side; the product adds up the eight bytes in the highest one.
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
    """Returns uint16 [masks]: those of at most `radius` bits, the empty one first; none for a radius of -1."""
    bits = [np.uint16(1 << i) for i in range(_BITS)]
    chosen = [some for size in range(radius + 1) for some in itertools.combinations(bits, size)]
    return np.array([np.bitwise_or.reduce(np.array(some, np.uint16)) for some in chosen], np.uint16)
