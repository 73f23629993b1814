"""The component ExampleValidator."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, LabelVocabulary
from components.code_version import code_version
from components.example_validator import executor

ON_ANOMALIES = ("stop", "warn")


class ExampleValidatorSpec(standard_component_specs.ExampleValidatorSpec):
    """TFX's spec, with a vocabulary, the reaction to anomalies, and the code version."""

    PARAMETERS = {
        **standard_component_specs.ExampleValidatorSpec.PARAMETERS,
        "on_anomalies": ExecutionParameter(type=str),
        "max_rejected": ExecutionParameter(type=float),
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {
        **standard_component_specs.ExampleValidatorSpec.INPUTS,
        "vocabulary": ChannelParameter(type=LabelVocabulary),
        "index": ChannelParameter(type=ExampleIndex, optional=True),
    }


class ExampleValidator(base_component.BaseComponent):
    """Compares statistics with a schema.

    Example:
      schema = SchemaImporter(text=(schemas.folder("source") / "schema.pbtxt").read_text())
      validator = ExampleValidator(
          statistics=statistics.outputs["statistics"],
          schema=schema.outputs["schema"],
          vocabulary=source.outputs["vocabulary"],
      )

    Args:
      statistics: of a StatisticsGen.
      schema: what is allowed.
      vocabulary: which labels are allowed: the domain of `image/class/label` ends with it.
      on_anomalies: 'stop' fails where there are anomalies, naming them, so that nothing is trained on such data; 'warn'
        only writes them down.
      index: of the ExampleGen, whose summary tells what was rejected; None: that is not looked at.
      max_rejected: share of the images that may have been rejected: whoever ingested them, and under whatever limit.

    Outputs: `anomalies`, as TFX's ExampleValidator writes them.

    Raises:
      ValueError: `on_anomalies` is neither, or `max_rejected` is no share.
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        vocabulary: types.BaseChannel,
        on_anomalies: str = "stop",
        index: types.BaseChannel | None = None,
        max_rejected: float = 0.01,
    ):
        if on_anomalies not in ON_ANOMALIES:
            raise ValueError(f"on_anomalies: {on_anomalies!r}; allowed are {' and '.join(ON_ANOMALIES)}")
        if not 0 <= max_rejected <= 1:
            raise ValueError(f"max_rejected: {max_rejected} is no share, from 0 to 1")
        super().__init__(
            spec=ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                vocabulary=vocabulary,
                index=index,
                max_rejected=float(max_rejected),
                exclude_splits=json_utils.dumps([]),
                on_anomalies=on_anomalies,
                code_version=code_version(executor.__name__),
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
