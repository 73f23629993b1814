import pytest
from tfx import types
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.artifacts.types import ExampleIndex, LabelPrior, LabelVocabulary, Predictions
from components.importance_resampler import matchers

SUBSET = matchers.make_matcher("label_subset", label_subset=["Latin", "digits"])


def channel(artifact_type=ExampleIndex) -> types.Channel:
    return types.Channel(type=artifact_type)


def resampler(**changes) -> components.ImportanceResampler:
    arguments = {
        "examples": channel(standard_artifacts.Examples),
        "index": channel(),
        "label_prior": channel(LabelPrior),
        "n": 10,
    }
    return components.ImportanceResampler(**{**arguments, **changes})


def test_defaults():
    component = resampler()
    assert set(component.inputs) == {"examples", "index", "label_prior"}
    assert set(component.outputs) == {"plan", "resampled_examples"}
    version = code_version.code_version(
        "components.importance_resampler.executor", "components.importance_resampler.matchers.same_distribution"
    )
    assert component.exec_properties == {
        "matcher": "same_distribution",
        "settings": '{"max_repeats":null}',
        "n": 10,
        "seed": 0,
        "materialise": 1,
        "shard_bytes": 128 << 20,
        "shards": 0,
        "code_version": version,
    }


def test_a_plan_alone():
    component = resampler(materialise=False, matcher=matchers.make_matcher("same_distribution", max_repeats=3))
    assert set(component.outputs) == {"plan"}
    assert component.exec_properties["materialise"] == 0
    assert json_utils.loads(component.exec_properties["settings"]) == {"max_repeats": 3}


def test_label_subset():
    vocabulary = channel(LabelVocabulary)
    component = resampler(matcher=SUBSET, vocabulary=vocabulary)
    assert set(component.inputs) == {"examples", "index", "vocabulary"}
    assert json_utils.loads(component.exec_properties["settings"]) == {"label_subset": ["Latin", "digits"]}


def test_what_a_matcher_does_not_read_is_no_input():
    node = resampler(vocabulary=channel(LabelVocabulary), **PREDICTIONS)
    assert not set(PREDICTIONS) & set(node.inputs)
    assert "vocabulary" in node.inputs  # the prior is checked against it


PREDICTIONS = {
    "source_predictions": channel(Predictions),
    "target_predictions": channel(Predictions),
    "target_index": channel(),
}


def test_emd_subset():
    assert set(PREDICTIONS) < set(resampler(matcher=matchers.make_matcher("emd_subset"), **PREDICTIONS).inputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n: 0;"),
        ({"n": -1}, "n: -1;"),
        ({"label_prior": None}, "label_prior: the matcher same_distribution needs label_prior"),
        ({"matcher": matchers.make_matcher("uniform_subsample")}, "vocabulary: missing, but uniform_subsample"),
        ({"matcher": SUBSET}, "vocabulary: the matcher label_subset needs vocabulary"),
        (
            {"matcher": matchers.make_matcher("emd_subset"), "source_predictions": channel(Predictions)},
            "target_predictions: the matcher emd_subset needs target_predictions and target_index",
        ),
        ({"matcher": matchers.make_matcher("weighted_loss"), "n": 0}, "materialise: .* set it to False"),
        ({"shard_bytes": 0}, "shard_bytes: 0;"),
        ({"shards": -1}, "shards: -1;"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        resampler(**changes)
