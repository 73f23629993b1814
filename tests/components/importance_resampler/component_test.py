import pytest
from tfx import types
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.artifacts.types import ExampleIndex, LabelPrior, LabelVocabulary, Predictions


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
    version = code_version.code_version("components.importance_resampler.executor")
    assert component.exec_properties == {
        "strategy": "same_distribution",
        "n": 10,
        "seed": 0,
        "max_repeats": 0,
        "label_subset": "[]",
        "materialise": 1,
        "shard_bytes": 128 << 20,
        "shards": 0,
        "code_version": version,
    }


def test_a_plan_alone():
    component = resampler(materialise=False, max_repeats=3)
    assert set(component.outputs) == {"plan"}
    assert component.exec_properties["materialise"] == 0
    assert component.exec_properties["max_repeats"] == 3


def test_label_subset():
    vocabulary = channel(LabelVocabulary)
    component = resampler(strategy="label_subset", label_subset=["Latin", "digits"], vocabulary=vocabulary)
    assert set(component.inputs) == {"examples", "index", "label_prior", "vocabulary"}
    assert json_utils.loads(component.exec_properties["label_subset"]) == ["Latin", "digits"]


def test_what_a_strategy_does_not_read_is_no_input():
    node = resampler(vocabulary=channel(LabelVocabulary), **PREDICTIONS)
    assert not set(PREDICTIONS) & set(node.inputs)
    assert "vocabulary" in node.inputs  # the prior is checked against it


PREDICTIONS = {
    "source_predictions": channel(Predictions),
    "target_predictions": channel(Predictions),
    "target_index": channel(),
}


def test_emd_subset():
    assert set(PREDICTIONS) < set(resampler(strategy="emd_subset", **PREDICTIONS).inputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n: 0;"),
        ({"n": -1}, "n: -1;"),
        ({"strategy": "random"}, "strategy: 'random' is unknown"),
        ({"strategy": "label_subset", "label_subset": ["a"]}, "vocabulary: strategy 'label_subset' needs vocabulary"),
        (
            {"strategy": "emd_subset", "source_predictions": channel(Predictions)},
            "target_predictions: strategy 'emd_subset' needs target_predictions and target_index",
        ),
        ({"strategy": "weighted_loss", "n": 0}, "materialise: .* set it to False"),
        ({"shard_bytes": 0}, "shard_bytes: 0;"),
        ({"shards": -1}, "shards: -1;"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        resampler(**changes)
