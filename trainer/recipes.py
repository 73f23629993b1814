"""Recipes: the hyper-parameters of a training, typed and validated. Pure."""

from typing import Any, Literal

import pydantic

from components.settings import StrictModel, did_you_mean
from trainer.presets import PRESETS

# Implemented in trainer.loop.distribution, which imports TensorFlow.
Distribution = Literal["auto", "cpu", "one_gpu", "mirrored", "multi_worker", "tpu"]

# The keys of a recipe that a backbone with random weights cannot have, and why.
_FOR_TRAINED_BACKBONES = {
    "layer_decay": "whose first layers have to be trained as well",
    "frozen_epochs": "which has to be trained",
    "batch_norm": "whose statistics are of no data",
}


class Evaluate(StrictModel):
    """When a training is evaluated on the eval split, besides at its end. The weights do not depend on it.

    Attributes:
      every_steps: optimiser steps between two evaluations; the last step is evaluated too.
      every_minutes: minutes between two evaluations, instead of `every_steps`.
      examples: how many examples of the eval split, the same ones each time. null: all.
    """

    every_steps: pydantic.PositiveInt | None = None
    every_minutes: pydantic.PositiveFloat | None = None
    examples: pydantic.PositiveInt | None = None

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "Evaluate":
        if (self.every_steps is None) == (self.every_minutes is None):
            raise ValueError("every_steps, every_minutes: set one of them, and only one")
        return self


class Recipe(StrictModel):
    """The hyper-parameters of a training.

    The learning rate rises linearly over the first `warmup` share of the steps, then decays by a cosine to 0
    (Ngiam et al. 2018, section 4.1 and appendix).

    Attributes:
      preset: name of a preset; it gives the value of every key that is not set beside it.
      steps: optimiser steps.
      batch_size: images in a step, over all replicas.
      learning_rate: the peak of the schedule.
      base_batch_size: the batch size that `learning_rate` is meant for: the peak is multiplied by `batch_size` /
        `base_batch_size` (Goyal et al. 2017, arXiv 1706.02677). null: it is not.
      warmup: the share of the steps over which the learning rate ramps up.
      optimizer: `sgd`: SGD with momentum, as in the paper. `sgdw`, `adamw`: with decoupled weight decay (Loshchilov &
        Hutter 2019, arXiv 1711.05101). `lamb`: layer by layer, for large batches (You et al. 2020, arXiv 1904.00962).
      momentum: momentum of `sgd` and `sgdw`.
      nesterov: whether that momentum is Nesterov's.
      beta_1: decay of the mean of the gradients, for `adamw` and `lamb`.
      beta_2: decay of the mean of their squares.
      epsilon: what is added to the root of the latter: for `lamb` of their mean, for `adamw` of the mean before the
        correction for its start at 0, as in Keras.
      l2: λ in λ Σ‖kernel‖² of the loss. Biases and normalisation are not decayed.
      weight_decay: each step takes learning rate · `weight_decay` off the kernels, whatever their gradients. Not for
        `sgd`, which has `l2`. With it, a preset's `l2` is not used.
      clip_norm: the largest global norm of a gradient; longer ones are clipped. null: no clipping.
      ema: decay of a moving average of the weights. The average is evaluated and exported. null: the weights of the
        last step are.
      layer_decay: the learning rate of a layer is that of the head times `layer_decay` to the power of the number of
        blocks between them (Clark et al. 2020, arXiv 2003.10555; Bao et al. 2022, arXiv 2106.08254), and its decoupled
        weight decay with it. 1: all layers learn at the same rate. For `finetune`.
      frozen_epochs: number of passes over the data, at the beginning, in which only the head is trained. For
        `finetune`.
      batch_norm: what batch normalisation does in training. `train`: it normalises by the statistics of the batch, and
        its moving statistics follow. `frozen`: it normalises by the moving statistics that the backbone came with,
        which stay; its scales and offsets are trained. For `finetune`.
      loss: `softmax`: exactly one label is right; an example with several labels has equal shares of each. `sigmoid`:
        each label is an independent binary target. `focal`: likewise, but examples that are easy count less (Lin et al.
        2017, arXiv 1708.02002).
      focal_gamma: γ of `focal`: a label that has the probability p counts (1 − p)^γ. 0: all count alike.
      focal_alpha: α of `focal`: the weight of the labels that an image has; the others have 1 − α.
      label_smoothing: the share of the target distribution that is spread over all labels. For `softmax`.
      dropout: dropout rate before the head.
      crop: augmentation: a random crop of at least this share of the image's area, with an aspect ratio between 3/4 and
        4/3; 0.08 for Inception (Szegedy et al. 2015). null: images are cropped as in evaluation.
      shift: augmentation: images move by up to this many pixels in both directions.
      flip: augmentation: half of the images are mirrored left to right.
      rand_augment: augmentation: two random operations of RandAugment (Cubuk et al. 2020), of up to this strength.
        0: none.
      mixup: augmentation: α of the Beta distribution of MixUp (Zhang et al. 2018), which blends images in pairs; 0.2
        for ImageNet. 0: none.
      cutmix: augmentation: α of the Beta distribution of CutMix (Yun et al. 2019), which pastes a part of one image
        into another; 1 for ImageNet. 0: none. With `mixup` too, a fair coin chooses one of them for each batch.
      evaluate: when loss and accuracy on the eval split are taken during the training. null: at its end only.
      export: the weights that are exported. `last`: those of the last step. `best`: those of the evaluation with the
        highest accuracy, and of equal ones the lowest loss; needs `evaluate.every_steps`.
    """

    preset: str | None = pydantic.Field(None, exclude=True, repr=False, json_schema_extra={"enum": [*PRESETS, None]})
    steps: pydantic.PositiveInt
    batch_size: pydantic.PositiveInt
    learning_rate: pydantic.PositiveFloat
    base_batch_size: pydantic.PositiveInt | None = None
    warmup: float = pydantic.Field(0.1, ge=0, lt=1)
    optimizer: Literal["sgd", "sgdw", "adamw", "lamb"] = "sgd"
    momentum: float = pydantic.Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    beta_1: float = pydantic.Field(0.9, ge=0, lt=1)
    beta_2: float = pydantic.Field(0.999, ge=0, lt=1)
    epsilon: pydantic.PositiveFloat = 1e-7
    l2: pydantic.NonNegativeFloat = 0.0
    weight_decay: pydantic.NonNegativeFloat = 0.0
    clip_norm: pydantic.PositiveFloat | None = None
    ema: float | None = pydantic.Field(None, gt=0, lt=1)
    layer_decay: float = pydantic.Field(1.0, gt=0, le=1)
    frozen_epochs: pydantic.NonNegativeFloat = 0.0
    batch_norm: Literal["train", "frozen"] = "train"
    loss: Literal["softmax", "sigmoid", "focal"] = "softmax"
    focal_gamma: pydantic.NonNegativeFloat = 2.0
    focal_alpha: float = pydantic.Field(0.25, gt=0, lt=1)
    label_smoothing: float = pydantic.Field(0.0, ge=0, lt=1)
    dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    crop: float | None = pydantic.Field(None, gt=0, le=1)
    shift: pydantic.NonNegativeInt = 0
    flip: bool = False
    rand_augment: float = pydantic.Field(0.0, ge=0, le=1)
    mixup: pydantic.NonNegativeFloat = 0.0
    cutmix: pydantic.NonNegativeFloat = 0.0
    evaluate: Evaluate | None = None
    export: Literal["last", "best"] = "last"

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """What makes the model's logits the probabilities that the loss is about."""
        return "softmax" if self.loss == "softmax" else "sigmoid"

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the end of the warm-up."""
        return self.learning_rate * (self.batch_size / self.base_batch_size if self.base_batch_size else 1.0)

    @property
    def ramp_steps(self) -> int:
        """The number of warm-up steps. At least one step is left to decay, even if the share rounds up to all."""
        return min(round(self.warmup * self.steps), self.steps - 1)

    def for_random_start(self) -> "Recipe":
        """Returns the recipe without what needs a trained backbone to start from."""
        return self.model_copy(update={key: Recipe.model_fields[key].default for key in _FOR_TRAINED_BACKBONES})

    def check_random_start(self) -> None:
        """Raises a ValueError if the recipe has what needs a trained backbone to start from."""
        for key, reason in _FOR_TRAINED_BACKBONES.items():
            value, default = getattr(self, key), Recipe.model_fields[key].default
            if value != default:
                raise ValueError(
                    f"{key}: {value!r} for a backbone that starts at random, {reason}: set it to {default!r}"
                )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("preset") is None:
            return value
        preset = value["preset"]
        if not isinstance(preset, str) or preset not in PRESETS:
            hint = did_you_mean(str(preset), PRESETS)
            raise ValueError(f"preset: {preset!r} is not one of {', '.join(PRESETS)}{hint}")
        merged = {**PRESETS[preset], **value}
        if merged.get("loss", "softmax") != "softmax" and "label_smoothing" not in value:
            merged["label_smoothing"] = 0.0  # the preset's is for softmax
        if merged.get("weight_decay") and "l2" not in value:
            merged["l2"] = 0.0  # else the weights would decay twice
        return merged

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "Recipe":
        if self.label_smoothing and self.loss != "softmax":
            raise ValueError(
                f"label_smoothing: {self.label_smoothing} needs a distribution over labels, which loss {self.loss!r} "
                "does not have; set it to 0, or loss to 'softmax'"
            )
        if self.weight_decay and self.optimizer == "sgd":
            raise ValueError(
                f"weight_decay: {self.weight_decay} is for optimizer 'sgdw', 'adamw' or 'lamb'; choose one, or set l2"
            )
        if self.export == "best" and not (self.evaluate and self.evaluate.every_steps):
            raise ValueError("export: 'best' needs evaluations at given steps; set evaluate.every_steps, or 'last'")
        return self


class Compute(StrictModel):
    """What a training runs on. It is no part of a recipe: the global batch is the same on all hardware.

    Attributes:
      distribution: the devices; docs/training.md lists what each value uses.
      precision: the type in which layers compute. Variables, loss and the exported model stay float32; float16 gets
        dynamic loss scaling.
      xla: whether XLA compiles the forward and backward pass. On a TPU it always does.
      synchronized_batch_norm: whether batch normalisation takes its statistics over all replicas, as one device with
        the whole batch would. If not, each replica normalises its own part of the batch.
      deterministic: whether TensorFlow's ops are deterministic on a GPU, which is slower. On a CPU they always are.
    """

    distribution: Distribution = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    xla: bool = False
    synchronized_batch_norm: bool = False
    deterministic: bool = False


class Checkpoint(StrictModel):
    """When a training is saved, so that it can go on after an interruption. The result does not depend on it.

    Attributes:
      minutes: minutes between two checkpoints. null: only `steps` counts. The last step is always saved, before the
        evaluation and the export.
      steps: optimiser steps between two checkpoints. null: only `minutes` counts.
      keep: number of checkpoints that are kept, the newest ones.
    """

    minutes: pydantic.PositiveFloat | None = 10.0
    steps: pydantic.PositiveInt | None = None
    keep: pydantic.PositiveInt = 2
