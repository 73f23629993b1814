"""Has a report_fn collect the data block, and writes the page, the model card and the block."""

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.transfer_report import block, output

FAILED = "failed"  # the name of the execution property that a runner may fill in
INPUT, PARAMETER = "artifacts", "parameter"  # what the names of inputs and of the pipeline's parameters begin with


@dataclasses.dataclass(frozen=True)
class ReportArgs:
    """What a report_fn is given.

    Attributes:
      artifacts: name → artifact; a name is missing if what should have made the artifact failed.
      failed: node → why it failed or could not run, as far as the runner has said so.
      settings: the component's.
      parameters: name → value of the pipeline's parameters that the component was given.
      folder: URI of the report, which is written to it afterwards.
    """

    artifacts: Mapping[str, types.Artifact]
    failed: Mapping[str, str]
    settings: Mapping[str, Any]
    parameters: Mapping[str, Any]
    folder: str


class Executor(base_executor.BaseExecutor):
    """See `components.transfer_report.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        names = json.loads(exec_properties["names"])
        artifacts = {}
        for i, name in enumerate(names):
            if found := input_dict.get(f"{INPUT}_{i}"):
                artifacts[name] = found[0]
        arguments = ReportArgs(
            artifacts=artifacts,
            failed=json.loads(exec_properties[FAILED]),
            settings=json.loads(exec_properties["settings"]),
            parameters={
                key.removeprefix(f"{PARAMETER}_"): _restore(value)
                for key, value in exec_properties.items()
                if key.startswith(f"{PARAMETER}_") and value is not None
            },
            folder=artifact_utils.get_single_uri(output_dict["report"]),
        )
        collected = find_report_fn(exec_properties["report_fn"])(arguments)
        output.write(arguments.folder, collected)
        output.write_cards(collected)


def find_report_fn(path: str) -> Callable[[ReportArgs], block.Block]:
    """Returns the function at a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _restore(value: Any) -> Any:
    """Returns a number as the integer that it was: some runners make floats of all numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
