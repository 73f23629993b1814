"""TFX's executor, which compares a model only with one that can be compared with it."""

from typing import Any

from tfx import types
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import standard_component_specs as keys
from tfx.utils import path_utils

from components.artifacts import model_labels, versions


class Executor(tfx_executor.Executor):
    """See `components.evaluator.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        baselines = input_dict.get(keys.BASELINE_MODEL_KEY) or []
        comparable = [model for model in baselines if is_comparable(model, input_dict[keys.MODEL_KEY][0])]
        super().Do({**input_dict, keys.BASELINE_MODEL_KEY: comparable}, output_dict, exec_properties)


def is_comparable(model: types.Artifact, candidate: types.Artifact) -> bool:
    """Returns whether `model` is whole, and has the labels of `candidate` in the same order."""
    saved_model = saved_model_of(model)
    same_labels = model_labels.read(saved_model) == model_labels.read(saved_model_of(candidate))
    return same_labels and versions.is_complete(saved_model)


def saved_model_of(model: types.Artifact) -> str:
    """Returns the folder of a Model's SavedModel."""
    return path_utils.serving_model_path(model.uri)
