"""The component StatisticsGen."""

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts.types import ExampleIndex, LabelVocabulary
from components.code_version import code_version
from components.statistics_gen import executor


class StatisticsGenSpec(ComponentSpec):
    """Parameters, inputs and outputs of StatisticsGen."""

    PARAMETERS = {"code_version": ExecutionParameter(type=str)}
    INPUTS = {
        "index": ChannelParameter(type=ExampleIndex),
        "vocabulary": ChannelParameter(type=LabelVocabulary),
    }
    OUTPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}


class StatisticsGen(base_beam_component.BaseBeamComponent):
    """Makes the statistics of a data set from its index: TFX's own would read every image to learn its size.

    Example:
      statistics = StatisticsGen(index=source.outputs["index"], vocabulary=source.outputs["vocabulary"])

    Args:
      index, vocabulary: of one ExampleGen.

    Outputs: `statistics`, as TFX's StatisticsGen writes them, of the features of `components.statistics_gen.features`.
    """

    SPEC_CLASS = StatisticsGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, *, index: types.BaseChannel, vocabulary: types.BaseChannel):
        super().__init__(
            spec=StatisticsGenSpec(
                index=index,
                vocabulary=vocabulary,
                code_version=code_version(executor.__name__),
                statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
            )
        )
