"""The components NearDuplicateFilter and EmbeddingDuplicateFilter, an optional second stage."""

from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, Exclusions, Predictions, ResamplePlan
from components.code_version import code_version
from components.near_duplicates import embeddings, executor, matching


class NearDuplicateFilterSpec(ComponentSpec):
    """Parameters, inputs and outputs. `_add_targets` adds an input `target_indices_<i>` for each target."""

    PARAMETERS = {
        "targets": ExecutionParameter(type=str),  # their names in the order of the inputs, a JSON list
        "distance": ExecutionParameter(type=int),
        "flips": ExecutionParameter(type=int),  # 0 or 1
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {"index": ChannelParameter(type=ExampleIndex)}
    OUTPUTS = {
        "exclusions": ChannelParameter(type=Exclusions),
        "plan": ChannelParameter(type=ResamplePlan),
    }


class NearDuplicateFilter(base_beam_component.BaseBeamComponent):
    """Finds the source images that equal, or nearly equal, an image of a target, of any split.

    Equal bytes are always found. Nearly equal are images whose perceptual hashes differ in few bits. Flat images, which
    are of a single grey, have no such hash: of them only equal bytes are found.

    Example:
      duplicates = NearDuplicateFilter(
          index=source.outputs["index"],
          target_indices={"pets": target.outputs["index"]},
      )

    Args:
      index: the source's, with perceptual hashes.
      target_indices: name → index of each target, with perceptual hashes; one filter serves all targets.
      distance: the largest number of bits, of 64, in which the hashes of two near-duplicates differ; 0 to 10. An odd
        one finds hardly more than the even one below: of nearly every hash, half of the bits are set.
      flips: whether the mirror images of the targets' images count too.

    Outputs: `exclusions`, the pairs of images and a summary; `plan`, which takes each example of the source's train
    split once unless it is excluded, for trainings on all of the source.

    Raises:
      TypeError: an input is no channel of its type.
      ValueError: the distance is out of range, or there is no target.
    """

    SPEC_CLASS = NearDuplicateFilterSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        index: types.BaseChannel,
        target_indices: Mapping[str, types.BaseChannel],
        distance: int = 6,
        flips: bool = True,
    ):
        matching.check_distance(distance)
        spec = _add_targets(NearDuplicateFilterSpec, ExampleIndex, "target_indices", target_indices)
        super().__init__(spec=spec(index=index, distance=distance, flips=int(flips)))


class EmbeddingDuplicateFilterSpec(ComponentSpec):
    """Parameters, inputs and outputs. `_add_targets` adds an input `target_predictions_<i>` for each target."""

    PARAMETERS = {
        "targets": ExecutionParameter(type=str),
        "threshold": ExecutionParameter(type=float),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "index": ChannelParameter(type=ExampleIndex),
        "earlier_exclusions": ChannelParameter(type=Exclusions),
        "source_predictions": ChannelParameter(type=Predictions),
    }
    OUTPUTS = NearDuplicateFilterSpec.OUTPUTS


class EmbeddingDuplicateFilter(base_beam_component.BaseBeamComponent):
    """Adds the images of the source's train split whose embeddings resemble a target's.

    The classifier that made the embeddings was trained before: what is found here is left out of P_s and of the
    specialists' samples, but the classifier has seen it.

    Example:
      all_of_train = Predictor(
          examples=source.outputs["examples"], index=source.outputs["index"], model=classifier.outputs["model"]
      )
      more_duplicates = EmbeddingDuplicateFilter(
          index=source.outputs["index"],
          earlier_exclusions=duplicates.outputs["exclusions"],
          source_predictions=all_of_train.outputs["predictions"],
          target_predictions={"pets": predictor.outputs["predictions"]},
      )

    Args:
      index: the source's.
      earlier_exclusions: of the NearDuplicateFilter.
      source_predictions: with embeddings, of all of the source's train split.
      target_predictions: name → predictions of each target, with embeddings, of all splits that shall be compared.
      threshold: the cosine of two embeddings from which on the images are alike.

    Outputs: as of NearDuplicateFilter, holding what both stages have found.

    Raises:
      TypeError: an input is no channel of its type.
      ValueError: the threshold is out of range, or there is no target.
    """

    SPEC_CLASS = EmbeddingDuplicateFilterSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.EmbeddingExecutor)

    def __init__(
        self,
        *,
        index: types.BaseChannel,
        earlier_exclusions: types.BaseChannel,
        source_predictions: types.BaseChannel,
        target_predictions: Mapping[str, types.BaseChannel],
        threshold: float = 0.99,
    ):
        embeddings.check_threshold(threshold)
        spec = _add_targets(EmbeddingDuplicateFilterSpec, Predictions, "target_predictions", target_predictions)
        super().__init__(
            spec=spec(
                index=index,
                earlier_exclusions=earlier_exclusions,
                source_predictions=source_predictions,
                threshold=float(threshold),
            )
        )


def _add_targets(spec: type[ComponentSpec], artifact_type: type, key: str, channels: Mapping[str, types.BaseChannel]):
    """Returns a function that creates a `spec` with an input for each target.

    A single input with all targets' artifacts would be a union of channels, which has no order, and which Kubeflow does
    not support.
    """
    if not isinstance(channels, Mapping):
        raise TypeError(
            f"Argument {key} should be a mapping of names to Channels of type {artifact_type} (got {channels})."
        )
    if not channels:
        raise ValueError(f"{key}: there is no target; name at least one")
    names = sorted(channels)
    parameter = ChannelParameter(type=artifact_type)
    for name, channel in channels.items():
        parameter.type_check(f"{key}[{name!r}]", channel)
    inputs = {f"{key}_{i}": parameter for i in range(len(names))}
    with_targets = type(spec.__name__, (spec,), {"INPUTS": {**spec.INPUTS, **inputs}, "__doc__": spec.__doc__})

    def make(**arguments):
        return with_targets(
            targets=json_utils.dumps(names),
            code_version=code_version(executor.__name__),
            exclusions=types.Channel(type=Exclusions),
            plan=types.Channel(type=ResamplePlan),
            **{f"{key}_{i}": channels[name] for i, name in enumerate(names)},
            **arguments,
        )

    return make
