"""The component TransferReport."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.dsl.experimental.node_execution_options import utils as execution_options
from tfx.orchestration import data_types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.artifacts.types import (
    ExampleIndex,
    Exclusions,
    LabelPrior,
    LabelVocabulary,
    Predictions,
    Rejected,
    Report,
    ResamplePlan,
)
from components.code_version import code_version
from components.transfer_report import executor

# What a report may be made of. Models and statistics are large, and say nothing that these do not.
READABLE = (
    ExampleIndex,
    Exclusions,
    LabelPrior,
    LabelVocabulary,
    Predictions,
    Rejected,
    ResamplePlan,
    standard_artifacts.Examples,
    standard_artifacts.ModelBlessing,
    standard_artifacts.ModelEvaluation,
    standard_artifacts.ModelRun,
    standard_artifacts.PushedModel,
)


class TransferReportSpec(ComponentSpec):
    """Parameters and outputs. `_make_spec` adds an input for each artifact, and each parameter of the pipeline."""

    PARAMETERS = {
        "report_fn": ExecutionParameter(type=str),
        "names": ExecutionParameter(type=str),  # of the artifacts in the order of the inputs, a JSON list
        "settings": ExecutionParameter(type=str),  # JSON
        executor.FAILED: ExecutionParameter(type=str),  # JSON, node → reason; a runner fills it in
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"report": ChannelParameter(type=Report)}


class TransferReport(base_component.BaseComponent):
    """Reports on a run or on a comparison, also where a part of it failed.

    All of its inputs are optional, and it says (as TFX's trigger strategy) that it waits for the end of what makes them
    and not for its success. A runner that knows why a node failed puts that into the execution property `failed`.

    Example:
      report = TransferReport(
          report_fn="pipeline.report.run.report_fn",
          artifacts={
              "source-examples.index": source.outputs["index"],
              "pets-prior.label_prior": prior.outputs["label_prior"],
          },
          settings={"configuration": "name: pets"},
      )

    Args:
      report_fn: dotted path of a function from `executor.ReportArgs` to a `block.Block`; installed, and never packaged
        at run time.
      artifacts: name → channel; the report_fn gets those artifacts that are there by their names.
      settings: what else the report_fn takes, JSON-like.
      parameters: name → what may be a RuntimeParameter of the pipeline, of which the report_fn gets the values.

    Outputs: `report`, with `report.html`, `model_card.md` and `block.json`. The card of a model that is served is
      written into its version's `assets.extra/`, too.

    Raises:
      TypeError: an artifact is no channel, or of a type that no report reads.
      ValueError: `report_fn` is no function of a module of this project.
    """

    SPEC_CLASS = TransferReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        report_fn: str,
        artifacts: Mapping[str, types.BaseChannel],
        settings: Mapping[str, Any],
        parameters: Mapping[str, int | str | data_types.RuntimeParameter] | None = None,
    ):
        module, _, name = report_fn.rpartition(".")
        if not (module and name):
            raise ValueError(f"report_fn: {report_fn!r} is no dotted path; name it as module.function")
        version = hashlib.sha256(f"{code_version(executor.__name__, module)} {_hash_files()}".encode()).hexdigest()
        names = sorted(artifacts) if isinstance(artifacts, Mapping) else ()
        spec = _make_spec(artifacts, parameters or {})
        super().__init__(
            spec=spec(
                report_fn=report_fn,
                names=json.dumps(names),
                settings=json.dumps(settings, sort_keys=True),
                code_version=version[:16],
                report=types.Channel(type=Report),
                **{executor.FAILED: "{}"},
                **{f"{executor.INPUT}_{i}": artifacts[name] for i, name in enumerate(names)},
                **{f"{executor.PARAMETER}_{name}": value for name, value in (parameters or {}).items()},
            )
        )
        self.node_execution_options = execution_options.NodeExecutionOptions(
            trigger_strategy=execution_options.TriggerStrategy.ALL_UPSTREAM_NODES_COMPLETED
        )


def _make_spec(artifacts: Mapping[str, types.BaseChannel], parameters: Mapping[str, Any]) -> type[ComponentSpec]:
    """Returns the spec with an optional input for each artifact, in the order of their names, and with parameters.

    One input with all of them would be a union of channels, which has no order, and which Kubeflow does not support.
    """
    names = ", ".join(kind.__name__ for kind in READABLE)
    if not isinstance(artifacts, Mapping):
        raise TypeError(f"Argument artifacts should be a mapping of names to Channels (got {artifacts!r}).")
    for name, channel in artifacts.items():
        if not isinstance(channel, types.BaseChannel) or channel.type not in READABLE:
            raise TypeError(f"Argument artifacts[{name!r}] should be a Channel of one of {names} (got {channel!r}).")
    inputs = {
        f"{executor.INPUT}_{i}": ChannelParameter(type=artifacts[name].type, optional=True)
        for i, name in enumerate(sorted(artifacts))
    }
    given = {
        f"{executor.PARAMETER}_{name}": ExecutionParameter(type=_type_of(value)) for name, value in parameters.items()
    }
    spec = TransferReportSpec
    members = {"INPUTS": inputs, "PARAMETERS": {**spec.PARAMETERS, **given}, "__doc__": spec.__doc__}
    return type(spec.__name__, (spec,), members)


def _type_of(value: int | str | data_types.RuntimeParameter) -> type:
    given = value.default if isinstance(value, data_types.RuntimeParameter) else value
    return type(given)


def _hash_files() -> str:
    """Returns a hash of the templates, styles and scripts of the page, which the code's version does not see."""
    digest = hashlib.sha256()
    root = pathlib.Path(__file__).parent
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()
