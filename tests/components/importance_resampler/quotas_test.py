import fractions
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.importance_resampler.quotas import MAX_N, quotas


def drawn(target_prior, counts, n, max_repeats=None) -> list[int]:
    return quotas(np.array(target_prior), np.array(counts), n, max_repeats)[0].tolist()


@pytest.mark.parametrize(
    ("target_prior", "counts", "n", "expected"),
    [
        ([0.5, 0.3, 0.2], [1, 1, 1], 10, [5, 3, 2]),
        ([0.5, 0.3, 0.2], [9, 1, 4], 11, [6, 3, 2]),  # 5.5, 3.3, 2.2
        ([0.25, 0.25, 0.5], [1, 1, 1], 2, [1, 0, 1]),  # equal remainders: the lower label
        ([0.2, 0.4, 0.4], [3, 0, 1], 9, [3, 0, 6]),  # no example of label 1
        ([0.0, 0.25, 0.75], [5, 5, 5], 8, [0, 2, 6]),
        ([0.0, 0.6, 0.4], [5, 5, 5], 1, [0, 1, 0]),
        ([1e-9, 1 - 1e-9, 0.0], [1, 1, 1], 100, [0, 100, 0]),
    ],
)
def test_largest_remainder(target_prior, counts, n, expected):
    assert drawn(target_prior, counts, n) == expected


def test_a_prior_need_not_be_normalised():
    assert drawn([5, 3, 2], [1, 1, 1], 10) == [5, 3, 2]


def test_the_largest_n():
    whole, _ = quotas(np.full(18_291, 1 / 18_291), np.ones(18_291, np.int64), MAX_N)
    assert whole.sum() == MAX_N
    assert set(whole.tolist()) == {MAX_N // 18_291, MAX_N // 18_291 + 1}


@pytest.mark.parametrize(
    ("target_prior", "counts", "n", "max_repeats", "expected", "capped"),
    [
        ([0.5, 0.3, 0.2], [10, 10, 10], 10, 1, [5, 3, 2], []),
        # 7.5 is over 2 · 2; the other 6 go 3 : 1, as 4.5 and 1.5.
        ([0.75, 0.1875, 0.0625], [2, 10, 10], 10, 2, [4, 5, 1], [0]),
        # The surplus of label 0 puts label 1 over its own limit.
        ([0.8, 0.15, 0.05], [2, 1, 10], 10, 2, [4, 2, 4], [0, 1]),
        # Exactly all there is.
        ([0.8, 0.15, 0.05], [2, 1, 10], 26, 2, [4, 2, 20], [0, 1]),
        # No mass: not even now.
        ([0.8, 0.2, 0.0], [2, 2, 10], 8, 2, [4, 4, 0], [0]),
        ([0.6, 0.4, 0.0], [0, 3, 10], 6, 2, [0, 6, 0], []),
    ],
)
def test_max_repeats(target_prior, counts, n, max_repeats, expected, capped):
    whole, held = quotas(np.array(target_prior), np.array(counts), n, max_repeats)
    assert whole.tolist() == expected
    assert np.flatnonzero(held).tolist() == capped


def test_too_many_for_the_limit():
    with pytest.raises(ValueError, match=r"n: 27 pairs with max_repeats 2.* have 13 pairs, so 26 is the largest n"):
        drawn([0.8, 0.15, 0.05, 0.0], [2, 1, 10, 50], 27, 2)


def exact_shares(masses: list[float], counts: list[int], n: int, max_repeats: int | None) -> list[fractions.Fraction]:
    """By fractions, one label at a time: the one furthest over its limit is set to it, and all begins anew."""
    mass = [fractions.Fraction(m) if count else fractions.Fraction(0) for m, count in zip(masses, counts, strict=True)]
    fixed: dict[int, int] = {}
    while True:
        free = [y for y in range(len(mass)) if y not in fixed and mass[y]]
        rest, total = n - sum(fixed.values()), sum(mass[y] for y in free)
        shares = [fractions.Fraction(fixed.get(y, 0)) for y in range(len(mass))]
        for y in free:
            shares[y] = rest * mass[y] / total
        over = [y for y in free if max_repeats is not None and shares[y] > max_repeats * counts[y]]
        if not over:
            return shares
        worst = max(over, key=lambda y: shares[y] / (max_repeats * counts[y]))
        fixed[worst] = max_repeats * counts[worst]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_within_one_of_the_exact_share(masses, data):
    num_labels = data.draw(st.integers(1, 8))
    counts = data.draw(st.lists(st.integers(0, 5), min_size=num_labels, max_size=num_labels))
    prior = data.draw(masses(num_labels))
    reachable = sum(count for count, mass in zip(counts, prior, strict=True) if mass > 0)
    if not reachable:
        with pytest.raises(ValueError, match="target_prior"):
            drawn(prior, counts, 1)
        return
    max_repeats = data.draw(st.one_of(st.none(), st.integers(1, 4)))
    n = data.draw(st.integers(1, 1000 if max_repeats is None else max_repeats * reachable))
    whole, capped = quotas(prior, np.array(counts), n, max_repeats)
    shares = exact_shares(prior.tolist(), counts, n, max_repeats)
    assert whole.sum() == n
    for y in range(num_labels):
        assert (
            math.floor(shares[y] - fractions.Fraction(1, 10**6))
            <= whole[y]
            <= math.ceil(shares[y] + fractions.Fraction(1, 10**6))
        )
        if max_repeats is not None:
            assert whole[y] <= max_repeats * counts[y]
        if capped[y]:
            assert whole[y] == max_repeats * counts[y]
        if not counts[y] or not prior[y]:
            assert whole[y] == 0


@pytest.mark.parametrize(
    ("target_prior", "counts", "n", "max_repeats", "message"),
    [
        ([0.5, 0.5], [1, 1], 0, None, "n: 0;.* at least 1"),
        ([0.5, 0.5], [1, 1], -3, None, "n: -3"),
        ([0.5, 0.5], [1, 1], MAX_N + 1, None, "n: 2147483648;.* at most 2,147,483,647"),
        ([0.5, -0.1], [1, 1], 5, None, "target_prior: -0.1 for label 1"),
        ([np.nan, 1.0], [1, 1], 5, None, "target_prior: nan for label 0"),
        ([np.inf, 1.0], [1, 1], 5, None, "target_prior: inf for label 0"),
        ([0.5, 0.5], [1, 1, 1], 5, None, r"target_prior: shape \(2,\) for 3 labels"),
        ([0.0, 0.0], [1, 1], 5, None, "target_prior: is 0 for every label"),
        ([0.0, 1.0], [1, 0], 5, None, "target_prior: has no mass on any label that has examples"),
        ([0.5, 0.5], [9, 9], 5, 0, "max_repeats: 0; it must be at least 1"),
    ],
)
def test_errors(target_prior, counts, n, max_repeats, message):
    with pytest.raises(ValueError, match=message):
        drawn(target_prior, counts, n, max_repeats)
