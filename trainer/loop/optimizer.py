"""The optimiser: Keras' SGD by our schedule, fed with gradients that have been summed over the replicas already."""

import keras
import tensorflow as tf

from trainer.loop.schedules import RampThenCosine
from trainer.recipes import Recipe


def make_optimizer(recipe: Recipe, *, loss_scaling: bool = False) -> keras.Optimizer:
    """Returns the optimiser of `recipe`; with dynamic `loss_scaling`, as float16 needs."""
    schedule = RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)
    sgd = _SGD(schedule, momentum=recipe.momentum, nesterov=recipe.nesterov)
    return keras.optimizers.LossScaleOptimizer(sgd) if loss_scaling else sgd


class _SGD(keras.optimizers.SGD):
    """Keras' optimisers sum over the replicas themselves, but only after they have clipped what each of them has."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)


def scale(optimizer: keras.Optimizer, values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns `values`, a loss or gradients, times the present scale where the optimiser scales losses."""
    scale = _scale(optimizer)
    return values if scale is None else [value * scale for value in values]


def unscale(optimizer: keras.Optimizer, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Returns what `scale` made of gradients as it was; exactly, for a scale is a power of two."""
    scale = _scale(optimizer)
    return gradients if scale is None else [gradient / scale for gradient in gradients]


def _scale(optimizer: keras.Optimizer) -> tf.Tensor | None:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale.value)
    return None
