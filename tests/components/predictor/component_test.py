"""Predictor as a node of a pipeline."""

from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.types import standard_artifacts
from tfx.utils import json_utils

import components
from components import code_version
from components.predictor import executor


def predictor(**changes) -> components.Predictor:
    examples = types.Channel(type=standard_artifacts.Examples)
    return components.Predictor(examples=examples, model=types.Channel(type=standard_artifacts.Model), **changes)


def test_its_parameters():
    node = predictor(splits=("train", "eval"), batch_size=7)
    assert json_utils.loads(node.exec_properties.pop("splits")) == ["train", "eval"]
    assert node.exec_properties == {
        "batch_size": 7,
        "code_version": code_version.code_version("components.predictor.executor"),
    }


def test_by_itself_it_predicts_what_the_prior_is_made_from():
    assert json_utils.loads(predictor().exec_properties["splits"]) == ["train"]


def test_its_channels():
    node = predictor()
    assert {name: channel.type for name, channel in node.inputs.items()} == {
        "examples": standard_artifacts.Examples,
        "model": standard_artifacts.Model,
    }
    assert {name: channel.type for name, channel in node.outputs.items()} == {"predictions": components.Predictions}
    assert isinstance(node.executor_spec, executor_spec.BeamExecutorSpec)
    assert node.executor_spec.executor_class is executor.Executor
