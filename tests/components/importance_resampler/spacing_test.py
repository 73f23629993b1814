import collections
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.importance_resampler import spacing


def neighbours_alike(items) -> int:
    return sum(a == b for a, b in itertools.pairwise(items))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from("aaaabbc"), max_size=25))
def test_separate_leaves_as_few_neighbours_alike_as_possible(items):
    result = spacing.separate_copies(items, lambda item: item)
    assert collections.Counter(result) == collections.Counter(items)
    most = max(collections.Counter(items).values(), default=0)
    assert neighbours_alike(result) == max(0, most - (len(items) - most) - 1)
    if not neighbours_alike(items):
        assert result == items


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("aa", "aa"),
        ("aabc", "abac"),  # the second waits for the next place
        ("abbaac", "ababac"),
        ("bcaa", "baca"),  # nothing comes behind it: it goes in before
        ("bbcaaa", "bacaba"),
        ("baaaa", "abaaa"),  # the surplus stays together
    ],
)
def test_separate(items, expected):
    assert "".join(spacing.separate_copies(items, lambda item: item)) == expected


def test_separate_is_by_identity():
    items = [(1, "x"), (2, "x"), (3, "y")]
    assert spacing.separate_copies(items, lambda item: item[1]) == [(1, "x"), (3, "y"), (2, "x")]


@settings(max_examples=60, deadline=None)
@given(
    copies=st.lists(st.integers(0, 20), min_size=1, max_size=20),
    shards=st.integers(1, 7),
    seed=st.integers(0, 1000),
)
def test_spread(copies, shards, seed):
    ids = np.random.default_rng(seed).integers(0, 2**64, len(copies), np.uint64)
    keys = spacing.spread_copies(ids, np.array(copies, np.int32), shards)
    assert keys.dtype == np.uint64
    assert len(keys) == sum(copies)
    start = 0
    for count in copies:
        own = keys[start : start + count]
        start += count
        by_shard = np.bincount((own % np.uint64(shards)).astype(int), minlength=shards)
        assert by_shard.max() - by_shard.min() <= 1
        for shard in range(shards):
            places = np.sort(own[own % np.uint64(shards) == shard]).astype(float)
            # At equal distances, and as many as fit into the range.
            assert np.allclose(np.diff(places), 2.0**62 / max(len(places), 1), rtol=1e-9)


def test_an_example_stands_anywhere():
    ids = np.random.default_rng(0).integers(0, 2**64, 4000, np.uint64)
    keys = spacing.spread_copies(ids, np.ones(4000, np.int32), 4)
    assert np.abs(np.bincount((keys % np.uint64(4)).astype(int)) - 1000).max() < 5 * np.sqrt(4000 * 3 / 16)
    assert abs((keys / 2.0**62).mean() - 0.5) < 5 * np.sqrt(1 / 12 / 4000)


def test_the_place_does_not_depend_on_the_other_rows():
    ids = np.array([11, 2**63, 5], np.uint64)
    whole = spacing.spread_copies(ids, np.array([2, 0, 5], np.int32), 3)
    assert spacing.spread_copies(ids[2:], np.array([5], np.int32), 3).tolist() == whole[2:].tolist()


def test_nothing_is_drawn():
    assert len(spacing.spread_copies(np.array([1, 2], np.uint64), np.zeros(2, np.int32), 3)) == 0
