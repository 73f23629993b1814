"""How often intervals hold the truth, and how often verdicts are right, in simulated comparisons.

Each image has a difficulty, in logits, that all arms and seeds share, and another one for each arm. Each training has
an accuracy of its own; whether it is right about an image is drawn from the logits. Every simulation has new seeds and
new images. The standard deviations of the difficulties make the differences of two arms vary about as those of small
networks of 93 and 94% on scikit-learn's digits, whose components are 0.08 between images and 0.18 for the residual.
"""

import functools

import numpy as np
import pytest
import scipy.special

from pipeline.compare.statistics import combine, compare
from pipeline.compare.verdict import judge

SHARED, OWN = 6.0, 1.0
SIMULATIONS = 2000
POINT = 0.01
GAIN = 1.5 * POINT

# Seed effects "of the difference" have the standard deviation of a cell in d; those "of each arm" have it in both arms.
SHARES = {"of the difference": 0.5**0.5, "of each arm": 1.0}


@functools.cache
def abilities() -> tuple[np.ndarray, np.ndarray]:
    """Returns accuracies over all images that there could be, and the logits of a network that has them."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(201)
    logits = np.linspace(-10, 60, 4000)
    rates = scipy.special.expit(logits[:, np.newaxis] + np.hypot(SHARED, OWN) * nodes)
    return rates @ weights / weights.sum(), logits


def draw(rng: np.random.Generator, arm: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Returns differences [seeds, images] of trainings with these accuracies [seeds, images or 1]."""
    images = arm.shape[1]
    shared = SHARED * rng.normal(size=images)
    correct = []
    for accuracies in (arm, reference):
        logits = np.interp(accuracies, *abilities()) + shared + OWN * rng.normal(size=images)
        correct.append(rng.random(logits.shape) < scipy.special.expit(logits))
    return correct[0].astype(float) - correct[1]


def simulate(rng: np.random.Generator, gain: float, seed_sd: float, seeds: int, images: int) -> np.ndarray:
    accuracies = (mean + seed_sd * rng.normal(size=(seeds, 1)) for mean in (0.93 + gain, 0.93))
    return draw(rng, *(np.repeat(accuracy, images, axis=1) for accuracy in accuracies))


def measure_coverage(make, truth: float) -> float:
    comparisons = [make() for _ in range(SIMULATIONS)]
    return np.mean([comparison.low <= truth <= comparison.high for comparison in comparisons])


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("images", [400, 1300])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("points", [0.3, 0.8, 1.5])
def test_coverage(points, seeds, images, share):
    rng = np.random.default_rng([round(10 * points), seeds, images])
    seed_sd = points * POINT * SHARES[share]
    coverage = measure_coverage(lambda: compare(simulate(rng, GAIN, seed_sd, seeds, images)), GAIN)
    print(f"seed sd {points} {share}, {seeds} seeds, {images} images: {coverage:.4f}")
    assert 0.92 <= coverage <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("images", [400, 1300])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_coverage_for_mean_per_class_accuracy(seeds, images):
    # 20 classes, the largest with 20 times the images of the smallest; easy ones are rare, and gain less.
    sizes = np.geomspace(1, 20, 20)
    sizes = np.round(sizes / sizes.sum() * images).astype(int)
    classes = np.repeat(np.arange(20), sizes)
    means, gains = np.linspace(0.92, 0.76, 20), GAIN + np.linspace(-POINT, POINT, 20)
    rng = np.random.default_rng([seeds, images])

    def make():
        accuracies = []
        for mean in (means + gains, means):
            effects = 0.8 * rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, 20))
            accuracies.append((mean + POINT * effects)[:, classes])
        return compare(draw(rng, *accuracies), classes)

    coverage = measure_coverage(make, GAIN)
    print(f"per class, {seeds} seeds, {images} images: {coverage:.4f}")
    # With 2 to 5 images in the smallest classes, which weigh as much as all others, the interval is rather too wide.
    assert 0.92 <= coverage <= (0.99 if images == 400 else 0.98)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 10])
def test_coverage_for_several_targets(seeds):
    rng = np.random.default_rng(seeds)
    gains, images = np.array([0.0, 1.0, 3.5]) * POINT, (400, 1300, 800)

    def make():
        seed_sds = np.array([0.3, 0.8, 1.5]) * POINT
        return combine(
            [
                compare(simulate(rng, *settings, seeds, size))
                for *settings, size in zip(gains, seed_sds, images, strict=True)
            ]
        )

    coverage = measure_coverage(make, gains.mean())
    print(f"three targets, {seeds} seeds: {coverage:.4f}")
    assert 0.92 <= coverage <= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("share", SHARES)
def test_power(share):
    rng = np.random.default_rng(0)
    rates = {}
    for points in (2, 0):
        differences = (simulate(rng, points * POINT, 0.8 * POINT * SHARES[share], 5, 1300) for _ in range(SIMULATIONS))
        rates[points] = np.mean([judge([compare(drawn)])[0].kind == "better" for drawn in differences])
    print(f"called better, seed sd 0.8 {share}: {rates}")
    assert rates[2] >= {"of the difference": 0.85, "of each arm": 0.7}[share]
    assert rates[0] <= 0.04
