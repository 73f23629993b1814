"""ImportanceResampler."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import artifacts
from components.code_version import code_version
from components.importance_resampler import executor


class ImportanceResamplerSpec(ComponentSpec):
    """What ImportanceResampler takes and gives."""

    PARAMETERS = {
        "n": ExecutionParameter(type=int),
        "seed": ExecutionParameter(type=int),
        "shards": ExecutionParameter(type=int),  # 0: as many as the source has
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "index": ChannelParameter(type=artifacts.ExampleIndex),
        "label_prior": ChannelParameter(type=artifacts.LabelPrior),
    }
    OUTPUTS = {
        "plan": ChannelParameter(type=artifacts.ResamplePlan),
        "resampled_examples": ChannelParameter(type=standard_artifacts.Examples),
    }


class ImportanceResampler(base_beam_component.BaseBeamComponent):
    """Draws a pre-training set from the source's train split by the importance of its labels.

    Args:
      examples, index: the source's.
      label_prior: P_t for the target at hand.
      n: how many (example, label) pairs to draw, at least 1.
      seed: another seed gives another sample with the same quotas.
      shards: record files of the sample; 0 makes as many as the source has.

    Outputs: `plan`, how often each source example is taken; `resampled_examples`, the sample itself, split `train`.

    Raises:
      ValueError: n < 1.
    """

    SPEC_CLASS = ImportanceResamplerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        index: types.BaseChannel,
        label_prior: types.BaseChannel,
        n: int,
        seed: int = 0,
        shards: int = 0,
    ):
        if n < 1:
            raise ValueError(f"n: {n}; a sample needs at least 1 example")
        super().__init__(
            spec=ImportanceResamplerSpec(
                examples=examples,
                index=index,
                label_prior=label_prior,
                n=n,
                seed=seed,
                shards=shards,
                code_version=code_version(executor.__name__),
                plan=types.Channel(type=artifacts.ResamplePlan),
                resampled_examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
