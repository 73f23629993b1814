"""Trainer: TFX's, with the inputs that specialists need."""

import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.trainer import executor as tfx_executor
from tfx.dsl.components.base import base_component, executor_spec
from tfx.orchestration import data_types
from tfx.proto import trainer_pb2
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from components import storage
from components.artifacts import examples as examples_module
from components.artifacts import plan
from components.artifacts.types import ExampleIndex, LabelVocabulary, ResamplePlan
from components.code_version import code_version
from trainer.fn_args import FnArgs
from trainer.loop import checkpoints as checkpoints_module
from trainer.models.backbone import Backbone

# The parameters that decide which training it is, and so which checkpoints are its own.
_OF_TRAINING = ("run_fn", "custom_config", "code_version", "steps", "seed")


class TrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's spec, with a vocabulary, other training examples or a plan for them, checkpoints, and the code version."""

    PARAMETERS = {
        **standard_component_specs.TrainerSpec.PARAMETERS,
        "code_version": ExecutionParameter(type=str),
        "checkpoints": ExecutionParameter(type=str, optional=True),
        "steps": ExecutionParameter(type=int, optional=True),
        "seed": ExecutionParameter(type=int, optional=True),
    }
    INPUTS = {
        **standard_component_specs.TrainerSpec.INPUTS,
        "vocabulary": ChannelParameter(type=LabelVocabulary),
        "index": ChannelParameter(type=ExampleIndex, optional=True),
        "train_examples": ChannelParameter(type=standard_artifacts.Examples, optional=True),
        "plan": ChannelParameter(type=ResamplePlan, optional=True),
    }


class Executor(tfx_executor.GenericExecutor):
    """TFX's, which hands the run_fn our `FnArgs`."""

    def _GetFnArgs(  # type: ignore[override]  # TFX's Do uses only two folders of the result
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> FnArgs:
        tfx_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        patterns = {
            split: [os.path.join(examples.path(split=split), storage.RECORD_PATTERN)] for split in examples.splits
        }
        index_folder = None
        if input_dict.get("train_examples"):
            sample = artifact_utils.get_single_instance(input_dict["train_examples"])
            patterns["train"] = [_pattern(sample, "train")]
            places = os.path.join(sample.uri, examples_module.PLACES)
            index_folder = places if tf.io.gfile.exists(places) else None
        elif input_dict.get("index"):
            index_folder = os.path.join(artifact_utils.get_single_uri(input_dict["index"]), "Split-train")
        plan_pattern = None
        if input_dict.get("plan"):
            plan_uri = artifact_utils.get_single_uri(input_dict["plan"])
            plan_pattern = os.path.join(plan_uri, "Split-train", plan.COPIES_PATTERN)
        base_model = input_dict.get("base_model")
        return FnArgs(
            custom_config=_replace(tfx_args.custom_config, exec_properties),
            split_patterns=patterns,
            index_pattern=index_folder and os.path.join(index_folder, "*.parquet"),
            plan_pattern=plan_pattern,
            vocabulary_path=artifact_utils.get_single_uri(input_dict["vocabulary"]),
            model_dir=artifact_utils.get_single_uri(output_dict["model"]),
            serving_model_dir=tfx_args.serving_model_dir,
            model_run_dir=tfx_args.model_run_dir,
            base_model_dir=artifact_utils.get_single_uri(base_model) if base_model else None,
            checkpoints=_checkpoints(input_dict, exec_properties),
        )


class Trainer(base_component.BaseComponent):
    """Runs a run_fn of this package.

    Example:
      from trainer.recipes import Recipe

      shared = {"image": {"size": 299, "channels": 3}, "seed": 0}
      classifier = Trainer(
          run_fn="trainer.pretrain.run_fn",
          examples=source.outputs["examples"],
          index=source.outputs["index"],
          vocabulary=source.outputs["vocabulary"],
          custom_config={
              "recipe": Recipe(preset="inception_v3_pretrain", steps=500_000).model_dump(),
              "backbone": {"name": "inception_v3"},
              **shared,
          },
          checkpoints="checkpoints/classifier",
      )
      finetune = Trainer(
          run_fn="trainer.finetune.run_fn",
          examples=target.outputs["examples"],
          vocabulary=target.outputs["vocabulary"],
          base_model=classifier.outputs["model"],
          custom_config={"recipe": Recipe(preset="finetune").model_dump(), **shared},
      )

    Args:
      run_fn: dotted path of the run_fn, such as 'trainer.pretrain.run_fn'; installed, never packaged at run time.
      examples: Examples with the splits `train` and `eval`, and `test` where there is one.
      index: their index, which says where each record stands. Without one, a training reads all records of `train`
        first, to see it.
      vocabulary: the label names of `examples`.
      custom_config: what the run_fn takes, JSON-like.
      train_examples: Examples whose split `train` is trained on instead.
      plan: how often each example of the split `train` is trained on, and with what weight; not with `train_examples`.
      base_model: a model of this Trainer to start from: fine-tuning takes its backbone, pre-training its head too.
      checkpoints: folder of this node's checkpoints, outside of what TFX makes anew for each execution; within it each
        training has its own, by its configuration, inputs and code. It is part of the cache key: name the same one in
        every run of a workspace. Beside it may lie what `trainer.loop.checkpoints.write_policy` writes. None: none
        are kept.
      steps, seed: take the place of the recipe's steps and of the seed in `custom_config`, for RuntimeParameters of a
        pipeline. None: those in `custom_config` hold.

    Outputs: `model`, with `Format-Serving/` (the SavedModel) and `Format-Keras/model.keras`; `model_run`, with
    `metrics.json` and `history.csv`, and the predictions that are to be kept.
    """

    SPEC_CLASS = TrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        run_fn: str,
        examples: types.BaseChannel,
        vocabulary: types.BaseChannel,
        index: types.BaseChannel | None = None,
        custom_config: dict[str, Any],
        train_examples: types.BaseChannel | None = None,
        plan: types.BaseChannel | None = None,
        base_model: types.BaseChannel | None = None,
        checkpoints: str | None = None,
        steps: int | data_types.RuntimeParameter | None = None,
        seed: int | data_types.RuntimeParameter | None = None,
    ):
        if plan and train_examples:
            raise ValueError("plan: belongs to `examples`; give either it or `train_examples`, not both")
        super().__init__(
            spec=TrainerSpec(
                run_fn=run_fn,
                examples=examples,
                vocabulary=vocabulary,
                index=index,
                train_examples=train_examples,
                plan=plan,
                base_model=base_model,
                custom_config=json_utils.dumps(custom_config),
                train_args=trainer_pb2.TrainArgs(),
                eval_args=trainer_pb2.EvalArgs(),
                code_version=version_of(run_fn, custom_config),
                checkpoints=checkpoints,
                steps=steps,
                seed=seed,
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
            )
        )


def _pattern(examples: types.Artifact, split: str) -> str:
    return os.path.join(examples.path(split=split), storage.RECORD_PATTERN)


def _checkpoints(
    inputs: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]
) -> checkpoints_module.Checkpoints:
    parent = exec_properties.get("checkpoints")
    if not parent:
        return checkpoints_module.Checkpoints()
    folder = checkpoints_module.folder(
        parent,
        parameters={key: exec_properties.get(key) for key in _OF_TRAINING},
        # A workspace that is moved takes its checkpoints along.
        inputs={key: [_relative(artifact.uri, parent) for artifact in artifacts] for key, artifacts in inputs.items()},
    )
    return checkpoints_module.Checkpoints(folder, checkpoints_module.read_policy(os.path.dirname(parent)))


def _replace(custom_config: dict[str, Any], exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns `custom_config` with the steps and the seed that the run has set, if it has."""
    changed = dict(custom_config)
    if (steps := exec_properties.get("steps")) is not None:
        changed["recipe"] = {**changed["recipe"], "steps": int(steps)}
    if (seed := exec_properties.get("seed")) is not None:
        changed["seed"] = int(seed)
    return changed


def _relative(uri: str, folder: str) -> str:
    return uri if storage.is_remote(uri) or storage.is_remote(folder) else os.path.relpath(uri, folder)


def version_of(run_fn: str, custom_config: dict[str, Any]) -> str:
    """Returns the version of the code that a Trainer runs, and of what its backbone is made of besides code."""
    backbone = _backbone_of(custom_config)
    return code_version(
        *modules_of(run_fn, custom_config),
        elsewhere=backbone.elsewhere() if backbone else (),
        data=backbone.fingerprint() if backbone else "",
    )


def modules_of(run_fn: str, custom_config: dict[str, Any]) -> list[str]:
    """Returns the modules of this project that a Trainer runs: those of its run_fn, its executor and its backbone."""
    modules = [run_fn.rpartition(".")[0], __name__]
    if backbone := _backbone_of(custom_config):
        # The registry imports it by name, so no import statement leads to it.
        modules.append(backbone.module())
    return modules


def _backbone_of(custom_config: dict[str, Any]) -> Backbone | None:
    return Backbone(**custom_config["backbone"]) if custom_config.get("backbone") else None
