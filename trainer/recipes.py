"""Recipes: the hyper-parameters of a training, typed and checked."""

import pydantic

from trainer.strict import Strict

STRATEGIES = ("auto", "cpu", "mirrored")  # trainer.distribution makes them


class Recipe(Strict):
    """How a model is trained.

    The learning rate ramps up linearly over the first `warmup` share of the steps, then decays by a cosine to 0
    (Ngiam et al. 2018, section 4.1 and appendix).

    Attributes:
      steps: optimiser steps.
      batch_size: images a step, over all replicas.
      learning_rate: its peak.
      warmup: share of the steps that ramp up.
      momentum, nesterov: of SGD.
      l2: λ in λ Σ‖kernel‖² of the loss; biases and normalisation are left alone.
      clip_norm: the gradient's global norm is clipped to this; None: it is not.
      label_smoothing: share of the target distribution that is spread over all labels.
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

    steps: pydantic.PositiveInt
    batch_size: pydantic.PositiveInt
    learning_rate: pydantic.PositiveFloat
    warmup: float = pydantic.Field(0.1, ge=0, lt=1)
    momentum: float = pydantic.Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    l2: pydantic.NonNegativeFloat = 0.0
    clip_norm: pydantic.PositiveFloat | None = None
    label_smoothing: float = pydantic.Field(0.0, ge=0, lt=1)
    dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    crop: float | None = pydantic.Field(None, gt=0, le=1)
    shift: pydantic.NonNegativeInt = 0
    flip: bool = False
    rand_augment: float = pydantic.Field(0.0, ge=0, le=1)
    mixup: pydantic.NonNegativeFloat = 0.0
    cutmix: pydantic.NonNegativeFloat = 0.0


class Checkpoint(Strict):
    """When a training is saved, so that it can go on after a failure. It changes nothing in the result.

    Attributes:
      minutes: between two checkpoints; null: no matter how long. A training shorter than this writes none.
      steps: likewise, in optimiser steps.
      keep: how many are kept, the newest ones.
    """

    minutes: pydantic.PositiveFloat | None = 10.0
    steps: pydantic.PositiveInt | None = None
    keep: pydantic.PositiveInt = 2
