"""Predictor."""

from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components import artifacts
from components.code_version import code_version
from components.predictor import executor


class PredictorSpec(ComponentSpec):
    """What Predictor takes and gives."""

    PARAMETERS = {
        "splits": ExecutionParameter(type=str),  # a JSON list
        "batch_size": ExecutionParameter(type=int),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"predictions": ChannelParameter(type=artifacts.Predictions)}


class Predictor(base_beam_component.BaseBeamComponent):
    """Runs a model on images in a Beam job and keeps the logits.

    Args:
      examples: Examples with the splits named in `splits`.
      model: a model whose SavedModel has the signature `features`.
      splits: the splits to predict.
      batch_size: images a call of the model.

    Outputs: `predictions`, a Parquet file a shard with the rows in the shard's order.
    """

    SPEC_CLASS = PredictorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        splits: Sequence[str] = ("train",),
        batch_size: int = 128,
    ):
        super().__init__(
            spec=PredictorSpec(
                examples=examples,
                model=model,
                splits=json_utils.dumps(list(splits)),
                batch_size=batch_size,
                code_version=code_version(executor.__name__),
                predictions=types.Channel(type=artifacts.Predictions),
            )
        )
