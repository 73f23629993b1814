import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pipeline.compare.statistics import Comparison, VarianceComponents, combine, compare, estimate_spread
from pipeline.compare.verdict import Verdict, adjust, in_words, judge


def make(difference: float, seed: float, image: float, *, seeds: int = 5, images: int = 1000) -> Comparison:
    """Returns a comparison with these standard deviations, in points: of one seed, and of the images at hand."""
    target = VarianceComponents(seeds, images, (seed / 100) ** 2, (image / 100) ** 2, 0.0, images - 1.0)
    error, freedom = estimate_spread([target])
    half_width = scipy.stats.t.ppf(0.975, freedom) * error
    p = 2 * scipy.stats.t.sf(abs(difference) / 100 / error, freedom)
    difference /= 100
    return Comparison(difference, error, freedom, difference - half_width, difference + half_width, p, (target,))


def test_holms_adjustment():
    assert adjust([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust([0.9, 0.6]) == [1, 1]
    assert adjust([]) == []
    adjusted = adjust([0.02, math.nan, 0.5])
    assert (adjusted[0], adjusted[2]) == (0.04, 0.5)
    assert math.isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_adjusted_p_values(p_values):
    adjusted = np.array(adjust(p_values))
    # Holm rejects one after the other, from the smallest, and stops at the first that it keeps.
    for alpha in (0.01, 0.05, 0.3):
        rejected = []
        for rank, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - rank) > alpha:
                break
            rejected.append(index)
        assert sorted(np.flatnonzero(adjusted <= alpha)) == sorted(rejected)


@pytest.mark.parametrize("p_values", [[0.5, 1.5], [-0.1], [[0.5]]])
def test_what_is_no_p_value_is_refused(p_values):
    with pytest.raises(ValueError, match=r"p_values: .*between 0 and 1"):
        adjust(p_values)


@pytest.mark.parametrize(
    ("comparison", "kind"),
    [
        (make(3.8, 0.5, 0.6), "better"),
        (make(-3.8, 0.5, 0.6), "worse"),
        (make(0.2, 0.3, 0.2), "equal"),
        (make(0.7, 0.2, 0.2), "better"),  # although no point is left above it
        (make(0.7, 0.2, 0.5), "cannot tell"),
        (make(-0.7, 0.2, 0.5), "cannot tell"),
    ],
)
def test_kinds(comparison, kind):
    (verdict,) = judge([comparison])
    assert (verdict.kind, verdict.p) == (kind, comparison.p)


def test_the_equivalence_decides_what_is_equal():
    comparison = make(0.2, 0.3, 0.2)
    assert judge([comparison], equivalence=0.004)[0].kind == "cannot tell"
    assert judge([comparison], equivalence=0.02)[0].kind == "equal"


def test_the_arms_are_adjusted_for():
    clear, close, none = make(4, 0.5, 0.5), make(1.5, 0.5, 0.65), make(0, 0.5, 0.6)
    assert 0.025 < close.p < 0.05
    assert [verdict.kind for verdict in judge([close])] == ["better"]
    verdicts = judge([none, close, clear])
    assert [verdict.kind for verdict in verdicts] == ["cannot tell", "cannot tell", "better"]
    assert [verdict.p for verdict in verdicts] == pytest.approx([1, 2 * close.p, 3 * clear.p])
    # More seeds are needed than for one arm alone, and they are enough.
    error, freedom = estimate_spread(close.targets, more_seeds=verdicts[1].more_seeds)
    assert 2 * 2 * scipy.stats.t.sf(0.015 / error, freedom) < 0.05
    error, freedom = estimate_spread(close.targets, more_seeds=verdicts[1].more_seeds - 1)
    assert 2 * 2 * scipy.stats.t.sf(0.015 / error, freedom) >= 0.05


def half_width(comparison: Comparison, **more) -> float:
    error, freedom = estimate_spread(comparison.targets, **more)
    return scipy.stats.t.ppf(0.975, freedom) * error


@pytest.mark.parametrize(
    ("difference", "needed"),
    [(1.5, 0.015), (-1.5, 0.015), (0.3, 0.007), (0.6, 0.006), (0.0, 0.01)],  # to exclude 0, or to be inside ± 1
)
def test_how_many_more_seeds(difference, needed):
    comparison = make(difference, 2.5, 0.1)
    (verdict,) = judge([comparison])
    assert (verdict.kind, verdict.test_images) == ("cannot tell", None)
    assert half_width(comparison, more_seeds=verdict.more_seeds) < needed
    assert half_width(comparison, more_seeds=verdict.more_seeds - 1) >= needed


def test_how_many_images_where_no_seeds_are_enough():
    comparison = make(0.8, 0.3, 1.0)
    (verdict,) = judge([comparison])
    assert verdict.more_seeds is None
    assert half_width(comparison, more_seeds=95) >= 0.008
    assert half_width(comparison, image_factor=verdict.test_images / 1000) < 0.008
    assert half_width(comparison, image_factor=(verdict.test_images - 1) / 1000) >= 0.008


def test_both_where_neither_is_enough():
    comparison = make(0.5, 2.0, 1.0)
    (verdict,) = judge([comparison])
    more, factor = verdict.more_seeds, verdict.test_images / 1000
    assert half_width(comparison, more_seeds=95) >= 0.005
    assert half_width(comparison, image_factor=10_000) >= 0.005
    assert factor == pytest.approx((5 + more) / 5)
    assert half_width(comparison, more_seeds=more, image_factor=factor) < 0.005
    assert half_width(comparison, more_seeds=more - 1, image_factor=(4 + more) / 5) >= 0.005


def test_more_than_any_number_of_seeds_exist():
    comparison = make(0.8, 0.3, 1.0, seeds=200)
    assert judge([comparison])[0].test_images > 1000
    unequal = combine([comparison, make(0.8, 0.3, 1.0, seeds=100)])
    assert judge([unequal])[0].test_images > 2000


def test_an_arm_of_smaller_p_counts():
    # Holm gives the larger p, twice of which is small enough, three times the smaller one.
    first, second, none = make(1.45, 0.5, 0.58), make(1.45, 0.5, 0.59), make(0, 0.5, 0.6)
    assert 3 * first.p > 0.05 > 2 * second.p
    verdict = judge([first, second, none])[1]
    assert (verdict.kind, verdict.p) == ("cannot tell", pytest.approx(3 * first.p))
    error, freedom = estimate_spread(second.targets, more_seeds=verdict.more_seeds)
    factor = 3 * first.p / second.p
    assert factor * 2 * scipy.stats.t.sf(0.0145 / error, freedom) < 0.05
    error, freedom = estimate_spread(second.targets, more_seeds=verdict.more_seeds - 1)
    assert factor * 2 * scipy.stats.t.sf(0.0145 / error, freedom) >= 0.05


def test_one_seed_cannot_tell():
    single, other = compare(np.array([[1, 0, 0, 1]])), make(1.5, 0.5, 0.6)
    verdicts = judge([single, other])
    assert (verdicts[0].kind, verdicts[0].more_seeds, verdicts[0].test_images) == ("cannot tell", None, None)
    assert math.isnan(verdicts[0].p)
    # An arm that is not tested does not count.
    assert verdicts[1] == Verdict("better", other.p)
    unclear = make(1.5, 2.5, 0.1)
    assert judge([unclear, single])[0] == judge([unclear])[0]


@pytest.mark.parametrize("equivalence", [0, -0.01, 1, math.nan])
def test_what_is_no_equivalence_is_refused(equivalence):
    with pytest.raises(ValueError, match=r"equivalence: .*0\.01"):
        judge([make(1, 1, 1)], equivalence=equivalence)


TARGET = VarianceComponents(5, 1000, 1e-4, 1e-4, 0.0, 999.0)


@pytest.mark.parametrize(
    ("ends", "verdict", "words"),
    [
        ((0.038, 0.026, 0.051), Verdict("better", 0.001), "+3.8 points [2.6, 5.1] over entire_source: better"),
        ((-0.0204, -0.031, -0.0096), Verdict("worse", 0.001), "-2.0 points [-3.1, -1.0] over entire_source: worse"),
        ((-0.0001, -0.004, 0.004), Verdict("equal", 0.9), "+0.0 points [-0.4, 0.4] over entire_source: equal"),
        ((0.02, 0.0003, 0.0397), Verdict("better", 0.04), "+2.00 points [0.03, 3.97] over entire_source: better"),
        ((0.0, 0.0, 0.004), Verdict("equal", 0.9), "+0.0 points [0.0, 0.4] over entire_source: equal"),
        (
            (0.004, -0.013, 0.021),
            Verdict("cannot tell", 0.5, more_seeds=7),
            "+0.4 points [-1.3, 2.1] over entire_source: cannot tell, about 7 more seeds would",
        ),
        (
            (0.02, 0.004, 0.036),
            Verdict("cannot tell", 0.0612, more_seeds=1),
            "+2.0 points [0.4, 3.6] over entire_source: cannot tell (p 0.061, adjusted for the arms), about 1 more "
            "seed would",
        ),
        (
            (0.004, -0.013, 0.021),
            Verdict("cannot tell", 0.5, test_images=3311),
            "+0.4 points [-1.3, 2.1] over entire_source: cannot tell, no number of seeds up to 100 would: about 3,400 "
            "test images would",
        ),
        (
            (0.004, -0.013, 0.021),
            Verdict("cannot tell", 0.5, more_seeds=120, test_images=25_000),
            "+0.4 points [-1.3, 2.1] over entire_source: cannot tell, about 120 more seeds together with about 25,000 "
            "test images would",
        ),
    ],
)
def test_words(ends, verdict, words):
    difference, low, high = ends
    comparison = Comparison(difference, 0.01, 9.0, low, high, 0.5, (TARGET,))
    assert in_words(comparison, verdict, "entire_source") == words


def test_words_without_an_interval():
    one_seed, one_image = (compare(np.full(shape, 0.5)) for shape in ((1, 3), (3, 1)))
    assert in_words(one_seed, judge([one_seed])[0], "a") == (
        "+50.0 points over a: cannot tell, one seed does not show how seeds vary, run more"
    )
    assert in_words(one_image, judge([one_image])[0], "a") == (
        "+50.0 points over a: cannot tell, one test image shows nothing"
    )
