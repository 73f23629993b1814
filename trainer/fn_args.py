"""What a run_fn gets."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from trainer.loop.checkpoints import Checkpoints


@dataclasses.dataclass(frozen=True)
class FnArgs:
    """What `trainer.component.Executor` hands a run_fn; what TFX's `FnArgs` has in common with it bears TFX's names.

    Attributes:
      custom_config: of the Trainer.
      split_patterns: split → file patterns of its Examples; `train` is of `train_examples` where they are given.
      plan_pattern: of the plan's files for the split `train`, or None.
      vocabulary_path: folder of the vocabulary.
      model_dir: of the Model artifact.
      serving_model_dir: in it, where the SavedModel has to be written.
      model_run_dir: of the ModelRun artifact.
      base_model_dir: of the Model artifact to start from, or None.
      checkpoints: of this training.
    """

    custom_config: Mapping[str, Any]
    split_patterns: Mapping[str, list[str]]
    plan_pattern: str | None
    vocabulary_path: str
    model_dir: str
    serving_model_dir: str
    model_run_dir: str
    base_model_dir: str | None
    checkpoints: Checkpoints
