"""Recipes: the hyper-parameters of a training, typed and checked. This module is pure."""

from typing import Any, Literal

import pydantic

from components.settings import StrictModel, did_you_mean
from trainer.presets import PRESETS

Distribution = Literal[
    "auto", "cpu", "one_gpu", "mirrored", "multi_worker", "tpu"
]  # trainer.loop.distribution has them


class Recipe(StrictModel):
    """How a model is trained, by SGD with momentum.

    The learning rate ramps up linearly over the first `warmup` share of the steps, then decays by a cosine to 0
    (Ngiam et al. 2018, section 4.1 and appendix).

    Attributes:
      preset: one of `trainer.presets`, from which all takes its value that is not given here.
      steps: optimiser steps.
      batch_size: images a step, over all replicas.
      learning_rate: its peak.
      base_batch_size: the batch size that `learning_rate` is meant for: the peak grows and shrinks in proportion to
        `batch_size` (Goyal et al. 2017, arXiv 1706.02677). None: it is taken as it is.
      warmup: share of the steps that ramp up.
      momentum, nesterov: of SGD.
      l2: λ in λ Σ‖kernel‖² of the loss; biases and normalisation are left alone.
      clip_norm: the gradient's global norm is clipped to this; None: it is not.
      ema: decay of an average of the weights, which is what gets evaluated and exported; see `trainer.loop.average`.
        None: the weights of the last step are.
      frozen_epochs: passes over the data at the beginning in which the head alone is trained; for fine-tuning.
      loss: 'softmax': one label excludes the others; over an example with several labels it asks for equal shares.
        'sigmoid': each label is a question of its own.
      label_smoothing: share of the target distribution that is spread over all labels; with 'softmax'.
      dropout: rate before the head.
      crop: augmentation: a random part of the image is seen, of at least this share of its area and an aspect ratio
        between 3/4 and 4/3; 0.08 in Inception's (Szegedy et al. 2015). None: what evaluation sees.
      shift: augmentation, in pixels: images move by up to this much in both directions.
      flip: augmentation: half of the images are mirrored left to right.
      rand_augment: augmentation: two random operations of RandAugment (Cubuk et al. 2020), up to this strength of 1.
      mixup: augmentation: α of the Beta distribution by which images are blended in pairs (Zhang et al. 2018), 0.2 for
        ImageNet; 0: they are not.
      cutmix: augmentation: α of the Beta distribution by which the area is drawn that an image has of another one (Yun
        et al. 2019), 1 for ImageNet; 0: none. With `mixup` too, each batch takes one of them by a fair coin.
    """

    preset: str | None = pydantic.Field(None, exclude=True, repr=False)
    steps: pydantic.PositiveInt
    batch_size: pydantic.PositiveInt
    learning_rate: pydantic.PositiveFloat
    base_batch_size: pydantic.PositiveInt | None = None
    warmup: float = pydantic.Field(0.1, ge=0, lt=1)
    momentum: float = pydantic.Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    l2: pydantic.NonNegativeFloat = 0.0
    clip_norm: pydantic.PositiveFloat | None = None
    ema: float | None = pydantic.Field(None, gt=0, lt=1)
    frozen_epochs: pydantic.NonNegativeFloat = 0.0
    loss: Literal["softmax", "sigmoid"] = "softmax"
    label_smoothing: float = pydantic.Field(0.0, ge=0, lt=1)
    dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    crop: float | None = pydantic.Field(None, gt=0, le=1)
    shift: pydantic.NonNegativeInt = 0
    flip: bool = False
    rand_augment: float = pydantic.Field(0.0, ge=0, le=1)
    mixup: pydantic.NonNegativeFloat = 0.0
    cutmix: pydantic.NonNegativeFloat = 0.0

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the end of the ramp."""
        return self.learning_rate * (self.batch_size / self.base_batch_size if self.base_batch_size else 1.0)

    @property
    def ramp_steps(self) -> int:
        """How many steps ramp up. A share below 1 of a few steps may round up to all of them: one is left to decay."""
        return min(round(self.warmup * self.steps), self.steps - 1)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("preset") is None:
            return value
        preset = value["preset"]
        if not isinstance(preset, str) or preset not in PRESETS:
            hint = did_you_mean(str(preset), PRESETS)
            raise ValueError(f"preset: {preset!r} is not one of {', '.join(PRESETS)}{hint}")
        merged = {**PRESETS[preset], **value}
        if merged.get("loss") == "sigmoid" and "label_smoothing" not in value:
            merged["label_smoothing"] = 0.0  # the preset's is for softmax
        return merged

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if self.label_smoothing and self.loss == "sigmoid":
            raise ValueError(
                f"label_smoothing: {self.label_smoothing} spreads a distribution over labels, which loss 'sigmoid' "
                "does not have; set it to 0, or loss to 'softmax'"
            )
        return self


class Compute(StrictModel):
    """What a training runs on. Nothing of it is part of a recipe: the global batch is the same everywhere.

    Attributes:
      distribution: a strategy of `trainer.loop.distribution.make_strategy`.
      precision: what the layers compute in. The variables, the loss and what is exported stay float32; float16 gets
        dynamic loss scaling.
      xla: whether the forward and backward pass is compiled by XLA. A TPU always does.
      synchronized_batch_norm: whether batch normalisation takes its statistics over all replicas, as one device with
        the whole batch would; else each replica normalises its own part.
      deterministic: whether TensorFlow's ops must be deterministic on a GPU, which is slower. On a CPU they are.
    """

    distribution: Distribution = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    xla: bool = False
    synchronized_batch_norm: bool = False
    deterministic: bool = False


class Checkpoint(StrictModel):
    """When a training is saved, so that it can go on after a failure. It changes nothing in the result.

    Attributes:
      minutes: between two checkpoints; null: no matter how long. The last step is always saved: evaluation and export
        come after it.
      steps: likewise, in optimiser steps.
      keep: how many are kept, the newest ones.
    """

    minutes: pydantic.PositiveFloat | None = 10.0
    steps: pydantic.PositiveInt | None = None
    keep: pydantic.PositiveInt = 2
