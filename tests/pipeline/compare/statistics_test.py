import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.compare.statistics import VarianceComponents, combine, compare, estimate_spread, find_image_interval

outcomes = hnp.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 9)), elements=st.sampled_from([-1, 0, 1]))


def sample(seeds: int, images: int, seed: int = 0) -> np.ndarray:
    """Returns differences between −1 and 1 that vary with seeds and with images."""
    rng = np.random.default_rng(seed)
    effects = 0.4 * rng.normal(size=(seeds, 1)) + rng.normal(size=images) + rng.normal(size=(seeds, images))
    return np.clip(np.round(effects), -1, 1)


def terms(differences: np.ndarray) -> tuple[float, float, float]:
    """Returns the mean squares of seeds, images and residuals, divided by the number of cells."""
    (seeds, images), grand = differences.shape, differences.mean()
    rows, columns = differences.mean(axis=1), differences.mean(axis=0)
    residuals = sum(
        (differences[s, e] - rows[s] - columns[e] + grand) ** 2 for s in range(seeds) for e in range(images)
    )
    squares = (
        images * sum((rows - grand) ** 2) / (seeds - 1),
        seeds * sum((columns - grand) ** 2) / (images - 1),
        residuals / ((seeds - 1) * (images - 1)),
    )
    return tuple(square / differences.size for square in squares)


def test_an_analysis_of_variance_by_hand():
    # MS_seed = 2/3, MS_image = 1/2, MS_residual = 1/6
    comparison = compare(np.array([[1, 0, 0], [0, 0, -1]]))
    assert comparison.difference == 0
    assert comparison.standard_error == pytest.approx(math.sqrt(1 / 6))
    assert comparison.degrees_of_freedom == pytest.approx(12 / 7)
    half_width = scipy.stats.t.ppf(0.975, 12 / 7) * math.sqrt(1 / 6)
    assert (comparison.low, comparison.high) == (pytest.approx(-half_width), pytest.approx(half_width))
    assert comparison.p == 1
    (target,) = comparison.targets
    assert dataclasses.astuple(target) == pytest.approx((2, 3, 1 / 6, 1 / 18, 1 / 18, 2))


@given(outcomes)
def test_the_variance_is_never_below_its_largest_term(differences):
    by_seed, by_image, by_residual = terms(differences)
    variance = max(by_seed + by_image - by_residual, by_seed, by_image, by_residual)
    if variance < 1e-9:
        return  # then nothing varies, which has a test of its own
    seeds, images = differences.shape
    comparison = compare(differences)
    assert comparison.standard_error == pytest.approx(math.sqrt(variance))
    squares = by_seed**2 / (seeds - 1) + by_image**2 / (images - 1) + by_residual**2 / ((seeds - 1) * (images - 1))
    assert comparison.degrees_of_freedom == pytest.approx(max(1, variance**2 / squares))
    t = abs(differences.mean()) / math.sqrt(variance)
    assert comparison.p == pytest.approx(2 * scipy.stats.t.sf(t, comparison.degrees_of_freedom))


@given(outcomes, st.integers(0, 3))
def test_what_does_not_matter(differences, seed):
    classes = np.random.default_rng(seed).integers(0, 3, differences.shape[1])
    expected = compare(differences, classes)
    names = np.array(["owl", "ant", "cat"])[classes]
    order = np.random.default_rng(seed).permutation(len(classes))
    shuffled = compare(differences[::-1, order], classes[order])
    mirrored = compare(-differences, classes)
    halved = compare(differences / 2, classes)
    for other, scale in ((shuffled, 1), (mirrored, 1), (halved, 0.5)):
        # Where nothing varies, the width is that of a binomial limit, which does not scale.
        if scale == 1 or expected.targets[0].image_degrees_of_freedom < math.inf:
            assert other.standard_error == pytest.approx(scale * expected.standard_error)
            assert other.degrees_of_freedom == pytest.approx(expected.degrees_of_freedom)
            assert other.p == pytest.approx(expected.p)
    assert (mirrored.low, mirrored.high) == (pytest.approx(-expected.high), pytest.approx(-expected.low))
    # What class joins a class of one image depends on the order of the names where several are as small.
    if np.bincount(classes).min() > 1:
        assert compare(differences, names).standard_error == pytest.approx(expected.standard_error)
    assert compare(differences, np.full(len(classes), "owl")) == compare(differences)


def test_mean_per_class_accuracy_by_strata():
    differences = sample(4, 9)
    classes = np.array([7, 2, 2, 7, 2, 5, 5, 2, 5])
    comparison = compare(differences, classes)
    groups = [differences[:, classes == label] for label in (2, 5, 7)]
    means = np.mean([group.mean(axis=1) for group in groups], axis=0)  # one a seed
    by_seed = means.var(ddof=1) / 4
    # The terms of a class are already divided by its images; each class weighs a third.
    parts = np.array([terms(group)[1:] for group in groups]) / 9
    by_image, by_residual = parts.sum(axis=0)
    assert comparison.difference == pytest.approx(means.mean())
    variance = max(by_seed + by_image - by_residual, by_seed, by_image, by_residual)
    assert comparison.standard_error == pytest.approx(math.sqrt(variance))
    freedom = by_image**2 / sum(parts[:, 0] ** 2 / [3, 2, 1])
    squares = by_seed**2 / 3 + by_image**2 / freedom + by_residual**2 / (3 * freedom)
    assert comparison.degrees_of_freedom == pytest.approx(variance**2 / squares)
    (target,) = comparison.targets
    expected = (4, 9, 4 * (by_seed - by_residual), by_image - by_residual, 4 * by_residual, freedom)
    assert dataclasses.astuple(target) == pytest.approx(expected)


def test_classes_of_one_image_are_a_stratum_together():
    differences = sample(3, 8)
    assert dataclasses.astuple(compare(differences, np.arange(8)))[:-1] == pytest.approx(
        dataclasses.astuple(compare(differences))[:-1]
    )
    # Two of three classes have one image: these images vary around their own mean.
    comparison = compare(differences, np.array([4, 0, 0, 0, 0, 0, 0, 9]))
    singles, others = differences[:, [0, 7]].mean(axis=0), differences[:, 1:7].mean(axis=0)
    by_image = (2 * singles.var(ddof=1) + others.var(ddof=1) / 6) / 9
    (target,) = comparison.targets
    assert target.image + target.residual / 3 == pytest.approx(by_image)
    assert comparison.difference == pytest.approx((singles.sum() + others.mean()) / 3)


def test_a_single_class_of_one_image_joins_the_smallest_other_class():
    differences = sample(3, 9)
    (target,) = compare(differences, np.array([1, 0, 0, 0, 0, 0, 2, 2, 2])).targets
    joined, others = differences[:, [0, 6, 7, 8]].mean(axis=0), differences[:, 1:6].mean(axis=0)
    by_image = ((1 + 1 / 3) * joined.var(ddof=1) + others.var(ddof=1) / 5) / 9
    assert target.image + target.residual / 3 == pytest.approx(by_image)


@pytest.mark.parametrize("shape", [(1, 5), (4, 1), (1, 1)])
def test_one_seed_or_one_image_has_no_interval(shape):
    comparison = compare(np.full(shape, 0.25))
    assert comparison.difference == 0.25
    assert not comparison.is_known
    unknown = (comparison.standard_error, comparison.low, comparison.high, comparison.p, comparison.targets[0].seed)
    assert np.isnan(unknown).all()
    assert not combine([comparison, compare(sample(3, 5))]).is_known


@pytest.mark.parametrize(("value", "images"), [(0.0, 100), (0.0, 1300), (0.1, 40)])
def test_where_no_image_differs_others_could(value, images):
    comparison = compare(np.full((3, images), value))
    # With this share of images that differ, a sample has none in 2.5%.
    share = (comparison.high - value) / (1 + value)
    assert (1 - share) ** images == pytest.approx(0.025)
    assert comparison.low == pytest.approx(value - (1 + value) * share)
    assert comparison.degrees_of_freedom == math.inf
    # Nothing varies within the classes, of unequal weight: it is as with fewer images.
    classes = np.arange(images) < 10
    unequal = compare(np.full((3, images), value), classes)
    assert unequal.high - value > comparison.high - value


def test_several_targets():
    first, second = compare(sample(4, 7)), compare(sample(3, 20, seed=1) + 0.5)
    both = combine([first, second])
    assert both.difference == pytest.approx((first.difference + second.difference) / 2)
    variances = np.square([first.standard_error, second.standard_error])
    assert both.standard_error == pytest.approx(math.sqrt(variances.sum()) / 2)
    freedom = variances.sum() ** 2 / sum(variances**2 / [first.degrees_of_freedom, second.degrees_of_freedom])
    assert both.degrees_of_freedom == pytest.approx(freedom)
    assert both.high - both.low == pytest.approx(2 * scipy.stats.t.ppf(0.975, freedom) * both.standard_error)
    assert both.targets == first.targets + second.targets
    assert combine([first]) == first


def test_the_spread_with_more_seeds_and_images():
    targets = (VarianceComponents(4, 100, 8e-4, 3e-4, 6e-4, 99.0), VarianceComponents(2, 50, 2e-4, -1e-5, 4e-4, 30.0))
    error, _ = estimate_spread(targets, more_seeds=2, image_factor=3)
    first = 8e-4 / 6 + 1e-4 + 2e-4 / 6
    second = 2e-4 / 4 + 1e-4 / 3  # the images' component is below 0
    assert error == pytest.approx(math.sqrt(first + second) / 2)
    error, freedom = estimate_spread(targets[:1], more_seeds=2, image_factor=3)
    residual = 2e-4 / 6
    squares = (8e-4 / 6 + residual) ** 2 / 5 + (1e-4 + residual) ** 2 / 297 + residual**2 / (5 * 297)
    assert (error, freedom) == (pytest.approx(math.sqrt(first)), pytest.approx(first**2 / squares))


@given(outcomes)
def test_the_present_spread_is_that_of_the_comparison(differences):
    comparison = compare(differences)
    assert estimate_spread(comparison.targets) == (comparison.standard_error, comparison.degrees_of_freedom)


@pytest.mark.parametrize(
    ("differences", "classes", "message"),
    [
        (np.zeros(5), None, r"differences: shape \(5,\); expected \[seeds, images\]"),
        (np.zeros((3, 0)), None, r"differences: shape \(3, 0\); at least one"),
        (np.zeros((0, 3)), None, r"differences: shape \(0, 3\); at least one"),
        ([[0, 1, 0], [0, 0, math.nan]], None, "differences: nan for seed 1 and image 2"),
        ([[0, math.inf]], None, "differences: inf for seed 0 and image 1"),
        (np.zeros((3, 4)), np.zeros(3), r"classes: shape \(3,\) for 4 images"),
        (np.zeros((3, 4)), np.zeros((3, 4)), r"classes: shape \(3, 4\) for 4 images"),
    ],
)
def test_arguments_that_are_refused(differences, classes, message):
    with pytest.raises(ValueError, match=message):
        compare(differences, classes)


def test_no_target_is_refused():
    with pytest.raises(ValueError, match="comparisons: none"):
        combine([])


def test_one_seed_has_an_interval_of_its_images():
    differences = np.array([1, 1, -1, 0, 0, 0])
    low, high = find_image_interval(differences)
    half_width = scipy.stats.t.ppf(0.975, 5) * differences.std(ddof=1) / math.sqrt(6)
    assert (low, high) == (pytest.approx(1 / 6 - half_width), pytest.approx(1 / 6 + half_width))


def test_the_interval_of_images_is_stratified_by_class():
    # Classes 0 and 1 with variances 1/3 of 4 images and 1/2 of 2 images, each class with a weight of one half.
    differences, classes = np.array([1, 1, 0, 0, 1, 0]), np.array([0, 0, 0, 0, 1, 1])
    terms = [0.25 * (1 / 3) / 4, 0.25 * 0.5 / 2]
    freedom = sum(terms) ** 2 / (terms[0] ** 2 / 3 + terms[1] ** 2 / 1)
    half_width = scipy.stats.t.ppf(0.975, freedom) * math.sqrt(sum(terms))
    assert find_image_interval(differences, classes) == pytest.approx((0.5 - half_width, 0.5 + half_width))


def test_images_none_of_which_differs_bound_those_that_could():
    low, high = find_image_interval(np.zeros(100))
    assert -low == high == pytest.approx(1 - 0.025 ** (1 / 100))
    several = compare(np.zeros((3, 100)))  # says the same of several seeds
    assert (several.low, several.high) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("differences", [[0.5], [], [0.0, math.nan], [[0.0, 1.0], [1.0, 0.0]]])
def test_images_that_have_no_interval_are_refused(differences):
    with pytest.raises(ValueError, match=r"^differences: "):
        find_image_interval(np.array(differences))
