"""What stands between pixels 0..255 and logits, and another model's own images and outputs."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from trainer.model_import.settings import PIXELS, ModelInput

_TINY = float(np.finfo(np.float32).tiny)
_EPSILON = float(np.finfo(np.float32).eps)
_ROUNDING = 1e-2  # of a sum of probabilities: a model may compute them in bfloat16


def scale(pixels: tf.Tensor, value_range: Sequence[float]) -> tf.Tensor:
    """Returns `pixels`, 0..255 of any type, as float32 from the first to the second value of `value_range`."""
    values = tf.cast(pixels, tf.float32)
    low, high = value_range
    if (low, high) == PIXELS:
        return values
    return values * ((high - low) / 255.0) + low


def to_logits(values: tf.Tensor, output: str, activation: str) -> tf.Tensor:
    """Returns the float32 logits of a model's `values`, which are 'logits' or 'probabilities' as `output` says.

    The logarithms of probabilities are the logits behind their softmax, up to a number that is the same for all labels
    of an image. What float32 has rounded to 0 or 1 becomes the nearest number that has a logarithm.
    """
    values = tf.cast(values, tf.float32)
    if output == "logits":
        return values
    logarithm = tf.math.log(tf.maximum(values, _TINY))
    if activation == "softmax":
        return logarithm
    return logarithm - tf.math.log(tf.maximum(1.0 - values, _EPSILON))


def check_finite(values: np.ndarray, model: str) -> None:
    """Raises a ValueError if not all of a model's outputs for some images are numbers; `model` is what it is called."""
    if not np.isfinite(values).all():
        raise ValueError(f"model: {model!r} gives {values[~np.isfinite(values)][0]} for images of noise; name another")


def check_outputs(values: np.ndarray, output: str, loss: str, model: str) -> None:
    """Checks that a model's outputs for some images can be what the settings say.

    Args:
      values: float [images, labels].
      output, loss: the settings.
      model: what the message calls the model.

    Raises:
      ValueError: they cannot.
    """
    check_finite(values, model)
    sums = values.sum(axis=1)
    in_range = bool((values >= -_ROUNDING).all() and (values <= 1 + _ROUNDING).all())
    sums_to_one = bool((np.abs(sums - 1) <= _ROUNDING).all())
    if output == "logits":
        if in_range and sums_to_one:
            raise ValueError(f"output: 'logits', but those of {model!r} sum to 1; set output to probabilities")
        if in_range and loss == "sigmoid":
            raise ValueError(
                f"output: 'logits', but those of {model!r} are all from 0 to 1; set output to probabilities"
            )
    elif not in_range:
        raise ValueError(
            f"output: 'probabilities', but {model!r} gives numbers from {values.min():.4g} to {values.max():.4g}; set "
            "output to logits"
        )
    elif loss == "softmax" and not sums_to_one:
        raise ValueError(
            f"loss: 'softmax', but the probabilities of {model!r} sum to {sums[0]:.4g} for an image, not to 1; set "
            "loss to sigmoid, if its labels do not exclude each other"
        )


def check_input(shape: Sequence[int | None], wanted: ModelInput, model: str) -> None:
    """Checks that a model takes the images that the settings say.

    Args:
      shape: height, width and channels; None: any.
      wanted: the setting `input`.
      model: what the message calls the model.

    Raises:
      ValueError: it takes others.
    """
    if len(shape) != 3:
        raise ValueError(f"model: {model!r} takes {len(shape) + 1} dimensions, not [batch, height, width, channels]")
    for side in shape[:2]:
        if side is not None and side != wanted.size:
            raise ValueError(
                f"input.size: {wanted.size}, but {model!r} takes images of {shape[0]} × {shape[1]} pixels; "
                + (f"set input.size to {shape[0]}" if shape[0] == shape[1] else "name a model that takes squares")
            )
    if shape[2] is not None and shape[2] != wanted.channels:
        raise ValueError(
            f"input.channels: {wanted.channels}, but {model!r} takes {shape[2]}; set input.channels to {shape[2]}"
        )
