import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.near_duplicates import matching

hashes = st.integers(0, 2**64 - 1)


def brute_force(queries: np.ndarray, found: np.ndarray, distance: int) -> list[tuple[int, int, int]]:
    distances = [[bin(int(a) ^ int(b)).count("1") for b in found] for a in queries]
    return sorted((row, d, column) for row, of in enumerate(distances) for column, d in enumerate(of) if d <= distance)


def matched(index: matching.MultiIndex, queries: np.ndarray) -> list[tuple[int, int, int]]:
    blocks = [zip(rows, distances, found, strict=True) for rows, found, distances in index.pairs(queries)]
    return [tuple(map(int, pair)) for pair in itertools.chain(*blocks)]


def flipped(values: np.ndarray, bits: int, rng: np.random.Generator) -> np.ndarray:
    """Returns `values` with exactly `bits` random bits of each changed."""
    chosen = np.argsort(rng.random((len(values), 64)), axis=1)[:, :bits].astype(np.uint64)
    return values ^ np.bitwise_or.reduce(np.uint64(1) << chosen, axis=1, initial=np.uint64(0))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), distance=st.integers(0, 10), stored=st.booleans())
def test_finds_what_brute_force_finds(data, distance, stored):
    centres = data.draw(st.lists(hashes, min_size=1, max_size=3))
    # Some bits away from a few centres, or hardly any pair would be near the limit.
    near = st.builds(
        lambda centre, bits: centre ^ sum(1 << bit for bit in bits),
        st.sampled_from(centres),
        st.sets(st.integers(0, 63), max_size=8),
    )
    queries, found = (np.array(data.draw(st.lists(near, max_size=12)), np.uint64) for _ in range(2))
    index = matching.MultiIndex(found, distance, max_entries=1 << 26 if stored else 0)
    assert matched(index, queries) == brute_force(queries, found, distance)


@pytest.mark.parametrize("distance", range(11))
@pytest.mark.parametrize("max_entries", [1 << 26, 0], ids=["stored", "looked-up"])
def test_planted_among_thousands(distance, max_entries):
    rng = np.random.default_rng(distance)
    found = rng.integers(0, 1 << 64, 700, np.uint64)
    planted = np.concatenate([flipped(found[:40], bits, rng) for bits in range(12)])
    queries = rng.permutation(np.concatenate([planted, rng.integers(0, 1 << 64, 2_000, np.uint64)]))
    pairs = matched(matching.MultiIndex(found, distance, max_entries=max_entries), queries)
    assert pairs == brute_force_fast(queries, found, distance)
    assert len(pairs) == 40 * (distance + 1)


def brute_force_fast(queries: np.ndarray, found: np.ndarray, distance: int) -> list[tuple[int, int, int]]:
    bits = np.unpackbits(queries[:, np.newaxis].view(np.uint8), axis=1).astype(np.float32)
    other = np.unpackbits(found[:, np.newaxis].view(np.uint8), axis=1).astype(np.float32)
    distances = (bits @ (1 - other.T) + (1 - bits) @ other.T).round().astype(int)
    rows, columns = np.nonzero(distances <= distance)
    return sorted(zip(rows.tolist(), distances[rows, columns].tolist(), columns.tolist(), strict=True))


@pytest.mark.parametrize("spread", [(6, 5, 0, 0), (3, 3, 2, 2), (0, 0, 0, 10), (2, 2, 2, 1), (1, 1, 1, 0)])
def test_however_the_bits_lie_in_the_substrings(spread):
    changed = sum(((1 << bits) - 1) << (16 * i + 3) for i, bits in enumerate(spread))
    one, other = np.array([0x0123456789ABCDEF], np.uint64), np.array([0x0123456789ABCDEF ^ changed], np.uint64)
    for distance in range(11):
        expected = [(0, sum(spread), 0)] if sum(spread) <= distance else []
        assert matched(matching.MultiIndex(other, distance), one) == expected


def test_blocks_hold_all_pairs_of_their_queries_and_no_more_than_they_may(monkeypatch):
    monkeypatch.setattr(matching, "_CANDIDATES", 50)
    monkeypatch.setattr(matching, "_BLOCK", 7)
    found = np.full(30, 5, np.uint64)
    queries = np.full(20, 5, np.uint64)
    blocks = list(matching.MultiIndex(found, 0).pairs(queries))
    assert len(blocks) > 10 and max(len(rows) for rows, _, _ in blocks) == 60
    seen = [set(rows) for rows, _, _ in blocks]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 20


def test_nothing_to_look_in_or_for():
    none, one = np.empty(0, np.uint64), np.array([1], np.uint64)
    for found, queries in ((none, one), (one, none), (none, none)):
        assert matched(matching.MultiIndex(found, 10), queries) == []


@given(st.lists(hashes))
def test_popcount(values):
    assert matching.popcount(np.array(values, np.uint64)).tolist() == [bin(value).count("1") for value in values]


@pytest.mark.parametrize("distance", [-1, 11])
def test_distances_out_of_range(distance):
    with pytest.raises(ValueError, match=rf"distance: {distance} of 64 bits; it must be 0 to 10"):
        matching.MultiIndex(np.empty(0, np.uint64), distance)
