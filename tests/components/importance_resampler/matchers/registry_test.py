"""The registry: matchers by name, with their settings and inputs."""

import dataclasses
import pathlib

import numpy as np
import pyarrow as pa
import pytest

from components.artifacts import predictions, vocabulary
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler import matchers
from components.importance_resampler.matchers.elastic_distribution import elastic_distribution
from components.importance_resampler.matchers.emd_subset import ClassMeans, emd_subset
from components.importance_resampler.matchers.label_subset import label_subset
from components.importance_resampler.matchers.matcher import Inputs, Predicted, Sample
from components.importance_resampler.matchers.reversed_weights import reversed_weights
from components.importance_resampler.matchers.same_distribution import same_distribution
from components.importance_resampler.matchers.uniform_labels import uniform_labels
from components.importance_resampler.matchers.uniform_subsample import uniform_subsample
from components.importance_resampler.matchers.weighted_loss import weighted_loss

LABELS = [[0], [1], [1], [2], [2], [2], [2, 0]]
NAMES = ("a", "b", "c")
VOCABULARY = vocabulary.make_vocabulary(NAMES, {"b": ["above"], "c": ["above"]})
MEANS = ClassMeans(np.array([[0.0], [2.0], [3.0]]), np.array([1, 1, 1]))
OWN = {"label_subset": {"label_subset": ["above"]}}  # settings that a matcher cannot do without
INPUTS = {"label_prior", "vocabulary", "source_predictions", "target_predictions", "target_index"}


def predicted() -> Predicted:
    """An image of each label, whose embedding is that of MEANS."""
    ids = ["x", "y", "z"]
    table = predictions.table(ids, np.zeros((3, 3)), MEANS.means)
    return Predicted(table, pa.table({"source_id": ids, "labels": [[0], [1], [2]]}))


@pytest.fixture
def pairs(make_pairs):
    return make_pairs(LABELS, 3)


@pytest.fixture
def prior(pairs):
    return LabelPrior(NAMES, pairs.counts, np.array([0.2, 0.5, 0.3]), "mean_prediction", 2.0, 4)


@pytest.fixture
def inputs(pairs, prior):
    return Inputs(pairs, prior, VOCABULARY, predicted(), predicted())


def same(sample: Sample, expected: Sample) -> bool:
    return repr(dataclasses.asdict(sample)) == repr(dataclasses.asdict(expected))


def test_each_matcher_is_its_function(inputs):
    pairs, drawing = inputs.pairs, {"n": 5, "seed": 3}
    # w: 0.2 / (2/8), 0.5 / (2/8), 0.3 / (4/8)
    weights = np.array([0.8, 2.0, 0.6])
    expected = {
        "same_distribution": same_distribution(pairs, inputs.prior.target_prior, **drawing),
        "elastic_distribution": elastic_distribution(pairs, weights, **drawing),
        "uniform_subsample": uniform_subsample(pairs, **drawing),
        "label_subset": label_subset(pairs, np.array([1, 2]), **drawing),
        "emd_subset": emd_subset(pairs, MEANS, MEANS, **drawing),
        "uniform_labels": uniform_labels(pairs, inputs.prior.target_prior, **drawing),
        "reversed_weights": reversed_weights(pairs, inputs.prior.target_prior, **drawing),
        "weighted_loss": weighted_loss(pairs, weights),
    }
    assert set(expected) == set(matchers.CLASSES)
    for name, sample in expected.items():
        assert same(matchers.make_matcher(name, **OWN.get(name, {})).draw(inputs, **drawing), sample), name


@pytest.mark.parametrize("name", matchers.CLASSES)
def test_what_a_matcher_declares(name):
    matcher = matchers.make_matcher(name, **OWN.get(name, {}))
    assert matchers.name_of(matcher) == name
    assert set(matcher.needs) <= INPUTS
    assert set(matcher.of_target) <= set(type(matcher).model_fields)
    assert matchers.make_matcher(name, **matcher.model_dump()) == matcher
    assert matcher.depends_on_target() == (name not in ("uniform_subsample", "label_subset"))


def test_every_module_is_registered():
    shared = {"__init__", "explanation", "matcher", "top_labels", "whole_labels"}
    modules = {path.stem for path in pathlib.Path(matchers.__file__).parent.glob("*.py")}
    assert modules - shared == set(matchers.CLASSES)


def test_max_repeats(inputs):
    sample = matchers.make_matcher("same_distribution", max_repeats=2).draw(inputs, n=13, seed=1)
    assert same(sample, same_distribution(inputs.pairs, inputs.prior.target_prior, n=13, seed=1, max_repeats=2))
    assert sample.quotas.tolist() == [4, 4, 5]


def test_top_labels(inputs):
    settings = {"top_labels": 2, "max_repeats": 4}
    for name, function in (("uniform_labels", uniform_labels), ("reversed_weights", reversed_weights)):
        sample = matchers.make_matcher(name, **settings).draw(inputs, n=15, seed=1)
        assert same(sample, function(inputs.pairs, inputs.prior.target_prior, n=15, seed=1, **settings))
        assert sample.quotas.tolist() == [0, {"uniform_labels": 8, "reversed_weights": 6}[name], sample.quotas[2]]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("best", {}, "matcher: 'best' is unknown; choose one of same_distribution, elastic_distribution"),
        ("same_distribution", {"max_repeats": 0}, "max_repeats"),
        ("elastic_distribution", {"max_repeats": 2}, "unknown key 'max_repeats'"),
        ("uniform_labels", {"top_labels": 0}, "top_labels"),
        ("label_subset", {}, "label_subset"),
        ("label_subset", {"label_subset": []}, "label_subset"),
    ],
)
def test_settings_that_do_not_fit(name, settings, message):
    with pytest.raises(ValueError, match=message):
        matchers.make_matcher(name, **settings)


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [("same_distribution", 0, "n: 0;"), ("uniform_subsample", -1, "n: -1;"), ("weighted_loss", 5, "n: 5, but")],
)
def test_sizes_that_do_not_fit(name, n, message):
    with pytest.raises(ValueError, match=message):
        matchers.make_matcher(name).check(n)


@pytest.mark.parametrize(
    "name", ["same_distribution", "elastic_distribution", "uniform_labels", "reversed_weights", "weighted_loss"]
)
def test_a_prior_that_is_missing(pairs, name):
    with pytest.raises(ValueError, match="prior: None, but the matcher needs it"):
        matchers.make_matcher(name).draw(Inputs(pairs, None, VOCABULARY), n=5, seed=3)


def test_a_prior_of_another_index(make_pairs, prior):
    for labels, num_labels in ((LABELS[1:], 3), (LABELS, 4)):
        with pytest.raises(ValueError, match="label_prior: its counts are not those of this index"):
            Inputs(make_pairs(labels, num_labels), prior)


def test_a_prior_of_another_vocabulary(pairs, prior):
    with pytest.raises(ValueError, match="label_prior: its labels are not in the order of the vocabulary"):
        Inputs(pairs, prior, vocabulary.make_vocabulary(["a", "c", "b"]))


def test_a_name_of_no_label():
    with pytest.raises(ValueError, match=r"label_subset: .*'abov'; did you mean 'above'"):
        matchers.make_matcher("label_subset", label_subset=["abov"]).check_labels(VOCABULARY)
