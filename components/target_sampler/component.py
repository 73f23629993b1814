"""The component TargetSampler."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts.types import ExampleIndex, LabelVocabulary, ResamplePlan
from components.code_version import code_version
from components.target_sampler import executor, sampling


class TargetSamplerSpec(ComponentSpec):
    """Parameters, inputs and outputs of TargetSampler."""

    PARAMETERS = {
        "shots": ExecutionParameter(type=int),  # 0: all
        "replicate": ExecutionParameter(type=int),  # 0 or 1
        "seed": ExecutionParameter(type=int),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        "index": ChannelParameter(type=ExampleIndex),
        "vocabulary": ChannelParameter(type=LabelVocabulary),
    }
    OUTPUTS = {"plan": ChannelParameter(type=ResamplePlan)}


class TargetSampler(base_component.BaseComponent):
    """Draws from the target's train split: a few images a class, or a bootstrap replicate.

    A fine-tuning on the plan shows what fewer labelled images would give, or how much depends on which images the train
    split happens to have.

    Example:
      few = TargetSampler(
          index=target.outputs["index"],
          vocabulary=target.outputs["vocabulary"],
          shots=5,
      )

    Args:
      index, vocabulary: the target's, whose images have one label each.
      shots: images a class; of a class that has fewer, all. With one seed, a larger sample contains a smaller one. 0:
        all images.
      replicate: whether to draw as many images of each class with replacement; see `sampling.draw_copies`.
      seed: another seed gives another sample.

    Outputs: `plan`, how often each image of the split `train` is taken: for a Trainer with the target's `examples` and
    `index`, and for a PriorEstimator.

    Raises:
      ValueError: `shots` is negative, or neither `shots` nor `replicate` is set.
    """

    SPEC_CLASS = TargetSamplerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        index: types.BaseChannel,
        vocabulary: types.BaseChannel,
        shots: int = 0,
        replicate: bool = False,
        seed: int = 0,
    ):
        sampling.check(shots, replicate)
        super().__init__(
            spec=TargetSamplerSpec(
                index=index,
                vocabulary=vocabulary,
                shots=shots,
                replicate=int(replicate),
                seed=seed,
                code_version=code_version(executor.__name__),
                plan=types.Channel(type=ResamplePlan),
            )
        )
