"""The optimiser: Keras' SGD with warm-up and cosine decay, for gradients that are already summed over the replicas."""

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
    """SGD that does not sum over the replicas, in one pass over a variable.

    Keras' own sums, but only after each replica has clipped its own; and it goes over a variable six times.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)

    def update_step(self, gradient, variable, learning_rate):
        if not self.momentum:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self.momentums[self._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=momentum.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(self.momentum, variable.dtype),
            use_nesterov=self.nesterov,
        )


def scale(optimizer: keras.Optimizer, values: list[tf.Tensor]) -> list[tf.Tensor]:
    """Multiplies a loss or gradients by the present scale, if the optimiser scales losses."""
    scale = _scale(optimizer)
    return values if scale is None else [value * scale for value in values]


def unscale(optimizer: keras.Optimizer, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """Reverts `scale`. The result is exact, because a scale is a power of two."""
    scale = _scale(optimizer)
    return gradients if scale is None else [gradient / scale for gradient in gradients]


def _scale(optimizer: keras.Optimizer) -> tf.Tensor | None:
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale.value)
    return None
