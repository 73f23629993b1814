"""Predictor as a node of a pipeline."""

import pytest
from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.predictor import executor


def predictor(**changes) -> components.Predictor:
    return components.Predictor(
        examples=types.Channel(type=standard_artifacts.Examples),
        index=types.Channel(type=components.ExampleIndex),
        model=types.Channel(type=standard_artifacts.Model),
        **changes,
    )


def test_its_parameters():
    node = predictor(splits=("train", "eval"), batch_size=7, max_examples=3)
    assert json_utils.loads(node.exec_properties.pop("splits")) == ["train", "eval"]
    assert node.exec_properties == {
        "batch_size": 7,
        "max_examples": 3,
        "code_version": code_version.code_version("components.predictor.executor"),
    }


def test_by_itself_it_predicts_what_the_prior_is_made_from():
    assert json_utils.loads(predictor().exec_properties["splits"]) == ["train"]


@pytest.mark.parametrize("setting", [{"batch_size": 0}, {"max_examples": -1}], ids=str)
def test_settings_that_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        predictor(**setting)


def test_its_channels():
    node = predictor()
    assert {name: channel.type for name, channel in node.inputs.items()} == {
        "examples": standard_artifacts.Examples,
        "index": components.ExampleIndex,
        "model": standard_artifacts.Model,
    }
    assert {name: channel.type for name, channel in node.outputs.items()} == {"predictions": components.Predictions}
    assert isinstance(node.executor_spec, executor_spec.BeamExecutorSpec)
    assert node.executor_spec.executor_class is executor.Executor
