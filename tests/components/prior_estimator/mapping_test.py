"""P_t from a classifier whose labels are not the source's."""

import numpy as np
import pytest
import scipy.special

from components.artifacts import label_map
from components.prior_estimator import estimate, mapping
from components.prior_estimator.settings import EstimatorSettings

NAMES = ("bird", "fish", "tree")
COUNTS = np.array([50, 30, 20])
# Five labels of a classifier: two birds, a tree, what the source does not have, and a fish.
MATCH = label_map.Match(np.array([0, 2, 0, -1, 1]), 3)
NO_FISH = label_map.Match(np.array([0, 2, 0, -1, -1]), 3)


def images(posteriors: list[list[float]], temperature: float = 1.0) -> estimate.Images:
    """Images whose softmax at a temperature is this; in float64, so that nothing is rounded."""
    return estimate.Images(temperature * np.log(np.array(posteriors)))


def test_p_t_by_hand():
    target = images([[0.1, 0.2, 0.3, 0.2, 0.2], [0.5, 0.1, 0.1, 0.2, 0.1]], temperature=2.0)
    prior = estimate.estimate(EstimatorSettings(), NAMES, COUNTS, target, match=MATCH)
    # Birds 0.4 and 0.6, fish 0.2 and 0.1, trees 0.2 and 0.1, and 0.2 each for what the source does not have.
    assert prior.target_prior == pytest.approx([0.5 / 0.8, 0.15 / 0.8, 0.15 / 0.8], abs=1e-12)
    assert prior.unmapped_mass == pytest.approx(0.2, abs=1e-12)
    assert prior.unmapped_labels == 0
    assert prior.weights == pytest.approx(prior.target_prior / [0.5, 0.3, 0.2], abs=1e-12)


def test_labels_of_the_source_without_a_counterpart():
    target = images([[0.1, 0.2, 0.3, 0.2, 0.2]], temperature=2.0)
    prior = estimate.estimate(EstimatorSettings(), NAMES, COUNTS, target, match=NO_FISH)
    assert prior.target_prior == pytest.approx([0.4 / 0.6, 0, 0.2 / 0.6], abs=1e-12)
    assert (prior.unmapped_mass, prior.unmapped_labels) == (pytest.approx(0.4, abs=1e-12), 1)
    assert prior.header()["unmapped_labels"] == 1


def test_sigmoids_by_hand():
    logits = scipy.special.logit(np.array([[0.5, 0.2, 0.1, 0.9, 0.3]]))
    settings = EstimatorSettings(activation="sigmoid", temperature=1.0)
    prior = estimate.estimate(settings, NAMES, COUNTS, estimate.Images(logits), match=MATCH)
    assert prior.target_prior == pytest.approx(np.array([0.6, 0.3, 0.2]) / 1.1, abs=1e-12)
    assert prior.unmapped_mass == pytest.approx(0.9 / 2.0, abs=1e-12)


def test_the_interval_is_that_of_the_source_s_labels():
    random = np.random.default_rng(1)
    target = estimate.Images(random.normal(0, 3, (200, 5)))
    prior = estimate.estimate(EstimatorSettings(bootstrap=200, seed=4), NAMES, COUNTS, target, match=NO_FISH)
    low, high = prior.interval
    assert low[1] == high[1] == 0
    for label in (0, 2):
        assert low[label] < prior.target_prior[label] < high[label]
    draws = np.random.default_rng(4).multinomial(200, np.full(200, 1 / 200), size=200) / 200
    posteriors = scipy.special.softmax(target.logits / 2, axis=1)
    moved = np.stack([posteriors[:, [0, 2]].sum(axis=1), posteriors[:, 1]], axis=1)
    replicates = draws @ moved
    expected = np.quantile(replicates[:, 0] / replicates.sum(axis=1), [0.025, 0.975])
    assert [low[0], high[0]] == pytest.approx(expected, abs=1e-12)


def test_grouped_logits_are_those_of_the_sums():
    logits = np.random.default_rng(2).normal(0, 4, (7, 5)).astype(np.float16)
    grouped = mapping.group_logits(logits, MATCH)
    posteriors = scipy.special.softmax(logits[:, [0, 2, 4, 1]].astype(np.float64), axis=1)
    expected = np.stack([posteriors[:, :2].sum(axis=1), posteriors[:, 2], posteriors[:, 3]], axis=1)
    assert scipy.special.softmax(grouped, axis=1) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("estimator", ["mean_prediction", "em", "bbse"])
def test_estimators_that_need_all_labels(estimator):
    """Labels of the classifier that split one of the source's, and one the source lacks, change nothing of the fit."""
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [60, 40, 30])
    source = random.normal(size=(130, 3)) + 2.5 * np.eye(3)[labels]
    target = random.normal(size=(90, 3)) + 2.5 * np.eye(3)[np.repeat([0, 1, 2], [10, 60, 20])]

    def split(logits: np.ndarray) -> np.ndarray:
        """Of the first label, 30% go to one and 70% to another label of the classifier."""
        return np.stack(
            [logits[:, 0] + np.log(0.3), logits[:, 2], logits[:, 0] + np.log(0.7), logits[:, 0], logits[:, 1]], 1
        )

    settings = EstimatorSettings(estimator=estimator, temperature="fitted")
    rows = np.arange(130)
    plain, mapped = (
        estimate.estimate(
            settings,
            NAMES,
            COUNTS,
            estimate.Images(change(target)),
            estimate.LabelledImages(estimate.Images(change(source)), rows, labels),
            match,
        )
        for change, match in ((lambda logits: logits, None), (split, MATCH))
    )
    assert mapped.target_prior == pytest.approx(plain.target_prior, abs=1e-4)
    assert mapped.temperature == pytest.approx(plain.temperature, abs=1e-4)
    assert plain.unmapped_mass is None
    assert 0.1 < mapped.unmapped_mass < 0.4


@pytest.mark.parametrize("changes", [{"estimator": "em"}, {"estimator": "bbse"}, {"temperature": "fitted"}])
def test_what_needs_all_labels_is_refused_without(changes):
    source = estimate.LabelledImages(estimate.Images(np.zeros((2, 5))), np.arange(2), np.arange(2))
    with pytest.raises(ValueError, match=r"^estimator: .* but 1 of 3 have none, such as 'fish'; use mean_prediction"):
        estimate.estimate(
            EstimatorSettings(**changes),
            NAMES,
            COUNTS,
            images([[0.2] * 5]),
            source,
            label_map.Match(NO_FISH.positions, 3),
        )


def test_no_mass_on_any_label_of_the_source():
    target = estimate.Images(np.array([[-3000.0, -3000, -3000, 0, -3000]]))
    with pytest.raises(ValueError, match=r"^predictions: all of their mass is on labels that stand for none"):
        estimate.estimate(EstimatorSettings(), NAMES, COUNTS, target, match=MATCH)


def test_logits_of_another_classifier():
    with pytest.raises(ValueError, match=r"^predictions: 4 logits an image, but the classifier has 5 labels"):
        estimate.estimate(EstimatorSettings(), NAMES, COUNTS, images([[0.25] * 4]), match=MATCH)


def test_images_that_look_like_nothing_of_the_source_are_not_compared():
    random = np.random.default_rng(5)
    labels = np.repeat([0, 1, 2], 20)
    source = estimate.LabelledImages(
        estimate.Images(np.zeros((60, 5)), random.normal(size=(60, 4))), np.arange(60), labels
    )
    # The best label of every other image is the fourth, which stands for none.
    target = estimate.Images(np.tile(np.eye(5)[[3, 4]], (10, 1)), random.normal(size=(20, 4)))
    prior = estimate.estimate(EstimatorSettings(), NAMES, COUNTS, target, source, MATCH)
    assert prior.assumption.target_images.tolist() == [0, 10, 0]


def test_a_thousand_labels():
    random = np.random.default_rng(6)
    positions = random.integers(-1, 300, 1000)
    logits = random.normal(0, 3, (40, 1000)).astype(np.float16)
    names = tuple(f"label {i}" for i in range(300))
    prior = estimate.estimate(
        EstimatorSettings(), names, np.ones(300, int), estimate.Images(logits), match=label_map.Match(positions, 300)
    )
    shares = scipy.special.softmax(logits.astype(np.float64) / 2, axis=1).mean(axis=0)
    expected = np.array([shares[positions == label].sum() for label in range(300)])
    assert prior.target_prior == pytest.approx(expected / expected.sum(), abs=1e-12)
    assert prior.unmapped_mass == pytest.approx(shares[positions < 0].sum(), abs=1e-12)
