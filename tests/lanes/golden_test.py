"""Both stack lanes compute the same: from the same logits the same priors, from the same prior the same plans.

`python tests/lanes/golden_test.py` writes golden.npz anew, which both lanes are compared with.
"""

import functools
import pathlib

import numpy as np
import pytest

from components.importance_resampler import arrays
from components.prior_estimator import calibration, intervals, priors

PATH = pathlib.Path(__file__).with_name("golden.npz")
LABELS = 1100
N = 500


def make_inputs() -> dict[str, np.ndarray]:
    """Returns logits of 30 target and 60 source images, and the labels of a source in which some labels are missing."""
    random = np.random.default_rng(5)
    labels = random.integers(0, LABELS, 60)
    source_logits = random.normal(size=(60, LABELS))
    source_logits[np.arange(60), labels] += 4
    target_logits = random.normal(size=(30, LABELS))
    target_logits[np.arange(30), random.integers(0, 40, 30)] += 8
    counts = random.integers(0, 7, LABELS)
    return {
        "source_logits": source_logits.astype(np.float16),
        "source_labels": labels,
        "target_logits": target_logits.astype(np.float16),
        "labels": random.permutation(np.repeat(np.arange(LABELS), counts)),
    }


def estimate(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    target, source = inputs["target_logits"], inputs["source_logits"]
    counts = np.bincount(inputs["labels"], minlength=LABELS)
    shares = counts / counts.sum()
    temperature = calibration.fit_temperature(source, inputs["source_labels"])
    mean = functools.partial(priors.mean_prediction, target, 2.0)
    low, high = intervals.bootstrap(
        lambda weights: mean(weights=weights), len(target), replicates=50, level=0.9, seed=3
    )
    return {
        "temperature": np.array(temperature),
        "mean_prediction": mean(),
        "em": priors.em(target, shares, temperature).prior,
        "low": low,
        "high": high,
    }


def draw(labels: np.ndarray, prior: np.ndarray) -> dict[str, np.ndarray]:
    ids = [f"image-{i}" for i in range(len(labels))]
    settings = {"n": N, "seed": 11, "ids": ids}
    return {
        "same_distribution": arrays.same_distribution(labels, prior, **settings),
        "elastic_distribution": arrays.elastic_distribution(labels, prior, **settings),
        "uniform_subsample": arrays.uniform_subsample(labels, **settings),
        "label_subset": arrays.label_subset(labels, list(range(0, LABELS, 2)), **settings),
        "uniform_labels": arrays.uniform_labels(labels, prior, **settings),
        "reversed_weights": arrays.reversed_weights(labels, prior, **settings),
    }


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(PATH) as file:
        return dict(file)


def test_the_priors(golden):
    for name, value in estimate(golden).items():
        np.testing.assert_allclose(value, golden[name], rtol=0, atol=1e-9, err_msg=name)


def test_the_plans(golden):
    for name, copies in draw(golden["labels"], golden["mean_prediction"]).items():
        np.testing.assert_array_equal(copies, golden[name], err_msg=name)
        assert copies.sum() == N


if __name__ == "__main__":
    values = make_inputs()
    values |= estimate(values)
    np.savez_compressed(PATH, **values, **draw(values["labels"], values["mean_prediction"]))
