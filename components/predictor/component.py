"""The component Predictor."""

from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, Predictions
from components.code_version import code_version
from components.predictor import executor


class PredictorSpec(ComponentSpec):
    """Parameters, inputs and outputs of Predictor."""

    PARAMETERS = {
        "splits": ExecutionParameter(type=str),  # a JSON list
        "batch_size": ExecutionParameter(type=int),
        "max_examples": ExecutionParameter(type=int),  # a split; 0: all
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "index": ChannelParameter(type=ExampleIndex),
        "model": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"predictions": ChannelParameter(type=Predictions)}


class Predictor(base_beam_component.BaseBeamComponent):
    """Runs a model on images in a Beam job and keeps the logits, and the embeddings if the model tells them.

    Example:
      predictor = Predictor(
          examples=target.outputs["examples"],
          index=target.outputs["index"],
          model=classifier.outputs["model"],
      )

    Args:
      examples, index: with the splits named in `splits`.
      model: a model whose SavedModel has the signatures `decode` and `features`.
      splits: the splits to predict.
      batch_size: images a call of the model.
      max_examples: predicts no more than this many of a split, the same whatever its sharding; 0 predicts all.

    Outputs: `predictions`, a Parquet file a shard with the rows in the shard's order.

    Raises:
      ValueError: `batch_size` is below 1, or `max_examples` below 0.
    """

    SPEC_CLASS = PredictorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        index: types.BaseChannel,
        model: types.BaseChannel,
        splits: Sequence[str] = ("train",),
        batch_size: int = 128,
        max_examples: int = 0,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size: {batch_size}; must be at least 1")
        if max_examples < 0:
            raise ValueError(f"max_examples: {max_examples}; must be at least 1, or 0 for all")
        super().__init__(
            spec=PredictorSpec(
                examples=examples,
                index=index,
                model=model,
                splits=json_utils.dumps(list(splits)),
                batch_size=batch_size,
                max_examples=max_examples,
                code_version=code_version(executor.__name__),
                predictions=types.Channel(type=Predictions),
            )
        )
