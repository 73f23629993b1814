"""The component CountsImporter."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts import label_counts
from components.artifacts.types import LabelCounts, LabelVocabulary
from components.code_version import code_version
from components.label_counts import executor


class CountsImporterSpec(ComponentSpec):
    """Outputs and parameters of CountsImporter."""

    PARAMETERS = {"text": ExecutionParameter(type=str), "code_version": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {
        "counts": ChannelParameter(type=LabelCounts),
        "vocabulary": ChannelParameter(type=LabelVocabulary),
    }


class CountsImporter(base_component.BaseComponent):
    """Gives a PriorEstimator the label counts of a source whose images are not at hand.

    The counts themselves are the parameter, not where they are: a file that was moved, or written otherwise, is no new
    one, and containers on a cluster need no file of the machine that submits a run.

    Example:
      counts = CountsImporter(text="label,count\\nowl,1300\\ncat,900\\n")

    Args:
      text: a CSV file with the header `label,count` and a line for each label of the source; 0 is a label that has no
        images.

    Outputs: `counts`, and `vocabulary`, the labels in the order of the file.

    Raises:
      ValueError: `text` is no such file; the message names the line.
    """

    SPEC_CLASS = CountsImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, *, text: str):
        super().__init__(
            spec=CountsImporterSpec(
                text=label_counts.dumps(label_counts.loads(text, "text")),
                code_version=code_version(executor.__name__),
                counts=types.Channel(type=LabelCounts),
                vocabulary=types.Channel(type=LabelVocabulary),
            )
        )
