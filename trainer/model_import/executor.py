"""Imports a model from elsewhere."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from trainer.model_import import importing, settings


class Executor(base_executor.BaseExecutor):
    """See `trainer.model_import.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        folder = artifact_utils.get_single_uri(output_dict["model"])
        parsed = settings.parse(exec_properties["kind"], json.loads(exec_properties["settings"]))
        if isinstance(parsed, settings.PublishedBackbone):
            importing.import_backbone(parsed, folder)
        else:
            importing.import_classifier(parsed, folder)
