"""The component ModelImporter."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from trainer.component import version_of
from trainer.model_import import executor, settings


class ModelImporterSpec(ComponentSpec):
    """Parameters and outputs of ModelImporter."""

    PARAMETERS = {
        "kind": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),  # JSON
        "fingerprint": ExecutionParameter(type=str),  # of the files: a part of the cache key, no more
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class ModelImporter(base_component.BaseComponent):
    """Makes a model from elsewhere an artifact as a Trainer writes it, so that all other components take it.

    Example:
      from components import storage

      imported = ModelImporter(
          kind="classifier",
          settings={
              "model": "models/animals",
              "input": {"size": 224, "channels": 3, "range": [-1, 1]},
              "labels": "models/animals.txt",
          },
          fingerprint=storage.find_sha256("models"),
      )

    Args:
      kind: 'classifier', which predicts images; or 'backbone', from which trainings start, without a head of its own.
      settings: what it is; see `trainer.model_import.settings`.
      fingerprint: what changes with the content of its files, such as their SHA-256.

    Outputs: `model`. That of a classifier has `Format-Serving/`, whose signature `features` lacks the features if the
    model does not tell them, and `Format-Keras/model.keras` if it is a Keras network; that of a backbone has only the
    latter.

    Raises:
      ValueError: a setting is missing, unknown or wrong.
    """

    SPEC_CLASS = ModelImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, *, kind: str, settings: dict[str, Any], fingerprint: str):
        parsed = _parse(kind, settings)
        content = parsed.model_dump()
        super().__init__(
            spec=ModelImporterSpec(
                kind=kind,
                settings=json.dumps(content, sort_keys=True),
                fingerprint=fingerprint,
                code_version=version_of(f"{executor.__name__}.Executor", content),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )


_parse = settings.parse  # the argument of the same name hides the module
