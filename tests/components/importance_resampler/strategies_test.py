import dataclasses

import numpy as np
import pytest

from components.artifacts import vocabulary
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler import emd, matchers, strategies
from components.importance_resampler.strategies import Settings

LABELS = [[0], [1], [1], [2], [2], [2], [2, 0]]
NAMES = ("a", "b", "c")
VOCABULARY = vocabulary.make(NAMES, {"b": ["above"], "c": ["above"]})
MEANS = emd.ClassMeans(np.array([[0.0], [2.0], [3.0]]), np.array([1, 5, 1]))


@pytest.fixture
def pairs(make_pairs):
    return make_pairs(LABELS, 3)


@pytest.fixture
def prior(pairs):
    return LabelPrior(NAMES, pairs.counts, np.array([0.2, 0.5, 0.3]), "mean_prediction", 2.0, 4)


def same(sample: matchers.Sample, expected: matchers.Sample) -> bool:
    return repr(dataclasses.asdict(sample)) == repr(dataclasses.asdict(expected))


def test_each_strategy_is_its_matcher(pairs, prior):
    drawing = {"n": 5, "seed": 3}
    more = {"vocabulary": VOCABULARY, "source_means": MEANS, "target_means": MEANS}
    # w: 0.2 / (2/8), 0.5 / (2/8), 0.3 / (4/8)
    weights = np.array([0.8, 2.0, 0.6])
    expected = {
        "same_distribution": matchers.same_distribution(pairs, prior.target_prior, **drawing),
        "elastic_distribution": matchers.elastic_distribution(pairs, weights, **drawing),
        "uniform_subsample": matchers.uniform_subsample(pairs, **drawing),
        "label_subset": matchers.label_subset(pairs, np.array([1, 2]), **drawing),
        "emd_subset": matchers.emd_subset(pairs, MEANS, MEANS, **drawing),
        "weighted_loss": matchers.weighted_loss(pairs, weights),
    }
    assert set(expected) == set(strategies.INPUTS)
    for strategy, sample in expected.items():
        settings = Settings(
            strategy,
            **(drawing if strategy != "weighted_loss" else {}),
            label_subset=("above",) if strategy == "label_subset" else (),
        )
        assert same(strategies.draw(settings, pairs, prior, **more), sample), strategy


def test_max_repeats(pairs, prior):
    settings = Settings("same_distribution", n=13, seed=1, max_repeats=2)
    expected = matchers.same_distribution(pairs, prior.target_prior, n=13, seed=1, max_repeats=2)
    assert same(strategies.draw(settings, pairs, prior), expected)
    assert expected.quotas.tolist() == [4, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "best"}, "strategy: 'best' is unknown; there are same_distribution, elastic_distribution"),
        ({"strategy": "same_distribution"}, "n: 0;"),
        ({"strategy": "uniform_subsample", "n": -1}, "n: -1;"),
        ({"strategy": "weighted_loss", "n": 5}, "n: 5 with weighted_loss"),
        ({"strategy": "same_distribution", "n": 1, "max_repeats": -1}, "max_repeats: -1"),
        ({"strategy": "elastic_distribution", "n": 1, "max_repeats": 2}, "max_repeats: 2 with elastic_distribution"),
        ({"strategy": "label_subset", "n": 1}, "label_subset: is empty"),
        ({"strategy": "emd_subset", "n": 1, "label_subset": ("b",)}, r"label_subset: \['b'\] with emd_subset"),
    ],
)
def test_settings_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        Settings(**arguments)


def test_a_prior_of_another_index(make_pairs, prior):
    settings = Settings("same_distribution", n=1)
    for labels, num_labels in ((LABELS[1:], 3), (LABELS, 4)):
        with pytest.raises(ValueError, match="label_prior: its counts are not those of this index"):
            strategies.draw(settings, make_pairs(labels, num_labels), prior)


def test_a_prior_of_another_vocabulary(pairs, prior):
    settings = Settings("label_subset", n=1, label_subset=("b",))
    with pytest.raises(ValueError, match="label_prior: its labels are not in the order of the vocabulary"):
        strategies.draw(settings, pairs, prior, vocabulary=vocabulary.make(["a", "c", "b"]))


def test_a_name_of_no_label(pairs, prior):
    settings = Settings("label_subset", n=1, label_subset=("abov",))
    with pytest.raises(ValueError, match=r"label_subset: .*'abov'; did you mean 'above'"):
        strategies.draw(settings, pairs, prior, vocabulary=VOCABULARY)
