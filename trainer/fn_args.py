"""The arguments of a run_fn."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trainer.loop.checkpoints import Checkpoints


@dataclasses.dataclass(frozen=True)
class FnArgs:
    """What `trainer.component.Executor` passes to a run_fn. Fields that TFX's `FnArgs` also has bear TFX's names.

    Attributes:
      custom_config: the Trainer's.
      split_patterns: split → file patterns of its Examples; those of `train` match `train_examples` where given.
      index_pattern: file pattern of the index of the split `train`, or None.
      plan_pattern: file pattern of the plan for the split `train`, or None.
      vocabulary_path: folder of the vocabulary.
      model_dir: folder of the Model artifact.
      serving_model_dir: folder below `model_dir` for the SavedModel.
      model_run_dir: folder of the ModelRun artifact.
      base_model_dir: folder of the Model artifact to start from, or None.
      checkpoints: those of this training.
    """

    custom_config: Mapping[str, Any]
    split_patterns: Mapping[str, list[str]]
    index_pattern: str | None
    plan_pattern: str | None
    vocabulary_path: str
    model_dir: str
    serving_model_dir: str
    model_run_dir: str
    base_model_dir: str | None
    checkpoints: Checkpoints
