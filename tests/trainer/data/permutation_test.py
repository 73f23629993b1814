"""The order of draws: each once in a pass, and as random as it looks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.permutation import permute

SIZES = st.one_of(st.integers(1, 40), st.integers(1, 5000))
SEEDS = st.one_of(st.integers(0, 9), st.integers(-(2**70), 2**70))


@settings(max_examples=60, deadline=None)
@given(SIZES, SEEDS, st.integers(0, 10**6))
def test_a_pass_has_each_draw_once(size, seed, number):
    found = permute(number * size + np.arange(size), size, seed)
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(size))


@settings(max_examples=60, deadline=None)
@given(SIZES, SEEDS, st.data())
def test_a_position_counts_alone(size, seed, data):
    everything = permute(np.arange(3 * size + 7), size, seed)
    positions = np.array(data.draw(st.lists(st.integers(0, 3 * size + 6), max_size=20)), np.int64)
    assert permute(positions, size, seed).tolist() == everything[positions].tolist()


def test_the_order_is_the_same_in_every_version():
    assert permute(np.arange(12), 6, 0).tolist() == [1, 0, 5, 4, 3, 2, 2, 1, 4, 3, 0, 5]
    assert permute(np.array([0, 10**9, 10**15]), 10**12, 7).tolist() == [130246875266, 650752054700, 82039170077]


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 10, 100])
def test_every_draw_comes_at_every_place_equally_often(size):
    passes = 20_000
    found = permute(np.arange(size * passes), size, 3).reshape(passes, size)
    for place in {0, 1, size // 2, size - 1}:
        counts = np.bincount(found[:, place], minlength=size)
        # Six standard deviations.
        assert np.abs(counts - passes / size).max() < 6 * np.sqrt(passes / size)
    after = (found[:, 1] - found[:, 0]) % size
    counts = np.bincount(after, minlength=size)[1:]
    assert np.abs(counts - passes / (size - 1)).max() < 6 * np.sqrt(passes / (size - 1))


def test_all_orders_of_four_come_equally_often():
    passes = 48_000
    found = permute(np.arange(4 * passes), 4, 1).reshape(passes, 4)
    counts = np.unique(found @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert np.abs(counts - 2000).max() < 6 * np.sqrt(2000)


@pytest.mark.parametrize("size", [1000, 10**7, 10**12])
def test_neighbours_have_nothing_in_common(size):
    found = permute(np.arange(1000), size, 5) / size
    steps = np.diff(found) % 1
    # Of 1,000 uniform numbers: means of ½, and in each tenth about 100.
    for values in (found, steps):
        assert abs(values.mean() - 0.5) < 6 * np.sqrt(1 / 12 / 1000)
        assert np.abs(np.histogram(values, 10, (0, 1))[0] - 100).max() < 6 * np.sqrt(100)


def test_seeds_and_passes_have_orders_of_their_own():
    orders = {tuple(permute(start + np.arange(20), 20, seed)) for seed in range(10) for start in range(0, 200, 20)}
    assert len(orders) == 100


@pytest.mark.parametrize(
    ("positions", "size", "message"), [([0], 0, "size: 0;"), ([3, -1], 5, "positions: -1;")], ids=["size", "position"]
)
def test_what_is_out_of_range(positions, size, message):
    with pytest.raises(ValueError, match=message):
        permute(np.array(positions), size, 0)


def test_no_position_at_all():
    assert permute(np.empty(0, np.int64), 5, 0).tolist() == []
