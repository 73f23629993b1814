"""The optimiser: Keras' SGD by our schedule, fed with gradients that have been summed over the replicas already."""

import keras
import tensorflow as tf

from trainer.recipes import Recipe
from trainer.schedules import RampThenCosine


def make_optimizer(recipe: Recipe, *, loss_scaling: bool = False) -> keras.Optimizer:
    """Returns the optimiser of `recipe`; with dynamic `loss_scaling`, as float16 needs."""
    schedule = RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)
    sgd = _SGD(schedule, momentum=recipe.momentum, nesterov=recipe.nesterov)
    return keras.optimizers.LossScaleOptimizer(sgd) if loss_scaling else sgd


class _SGD(keras.optimizers.SGD):
    """Keras' optimisers sum over the replicas themselves, but only after they have clipped what each of them has."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)


def loss_scale(optimizer: keras.Optimizer) -> tf.Tensor | float:
    """Returns what a loss is multiplied by before its gradient is taken, 1 without loss scaling."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale.value)
    return 1.0
