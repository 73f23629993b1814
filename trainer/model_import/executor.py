"""Opens a model from elsewhere, and writes the artifact."""

import json
import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from trainer import serving
from trainer.model_import import settings as settings_module
from trainer.models import classifier
from trainer.models.weights import load_backbone_weights


class Executor(base_executor.BaseExecutor):
    """See `trainer.model_import.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        folder = artifact_utils.get_single_uri(output_dict["model"])
        settings = settings_module.parse(exec_properties["kind"], json.loads(exec_properties["settings"]))
        if isinstance(settings, settings_module.PublishedBackbone):
            import_backbone(settings, folder)


def import_backbone(settings: settings_module.PublishedBackbone, folder: str) -> None:
    """Writes a Keras file whose layer 'backbone' has the published weights; its head is of no use.

    Raises:
      ValueError: the weights are of another network.
    """
    backbone = settings.backbone.build(settings.image)
    load_backbone_weights(backbone, settings.weights)
    path = os.path.join(folder, serving.KERAS_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    classifier.build(backbone, 1).save(path)
