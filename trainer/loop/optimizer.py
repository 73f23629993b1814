"""The optimiser: one of Keras', with warm-up and cosine decay, for gradients that are summed over the replicas."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from trainer.loop.schedules import RampThenCosine
from trainer.recipes import Recipe


def make_optimizer(
    recipe: Recipe,
    variables: Sequence[keras.Variable],
    *,
    decayed: Sequence[keras.Variable] = (),
    multiples: Sequence[float] | None = None,
    loss_scaling: bool = False,
) -> keras.Optimizer:
    """Returns the optimiser of `recipe`, built.

    Args:
      recipe: the hyper-parameters.
      variables: what it trains.
      decayed: those of `variables` that `recipe.weight_decay` applies to.
      multiples: what the learning rate of each of `variables` is multiplied by, and its decay with it. None: by 1.
      loss_scaling: whether it scales the loss dynamically, as float16 needs.
    """
    schedule = RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)
    made: _ByVariable
    if recipe.optimizer in ("sgd", "sgdw"):
        # Keras would call it _sgd, with which no scope may begin.
        made = _SGD(schedule, name="sgd", momentum=recipe.momentum, nesterov=recipe.nesterov)
    else:
        optimizer_class = {"adamw": _AdamW, "lamb": _Lamb}[recipe.optimizer]
        made = optimizer_class(
            schedule, name=recipe.optimizer, beta_1=recipe.beta_1, beta_2=recipe.beta_2, epsilon=recipe.epsilon
        )
    with_decay = set(map(id, decayed))
    made.decays = tuple(recipe.weight_decay if id(variable) in with_decay else 0.0 for variable in variables)
    made.multiples = tuple(multiples) if multiples is not None else (1.0,) * len(variables)
    optimizer = keras.optimizers.LossScaleOptimizer(made) if loss_scaling else made
    optimizer.build(variables)
    return optimizer


class _ByVariable(keras.optimizers.Optimizer):
    """An optimiser in which each variable has a learning rate and a weight decay of its own.

    It does not sum over the replicas. Keras' sum, but only after each has clipped its own.

    Attributes:
      multiples: of each variable: what its learning rate is multiplied by.
      decays: of each variable: a step takes its learning rate times this off it, before the update.
    """

    multiples: tuple[float, ...]
    decays: tuple[float, ...]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        learning_rate = tf.cast(learning_rate, variable.dtype) * self.multiples[index]
        if self.decays[index]:
            variable.assign_sub(variable * self.decays[index] * learning_rate)
        super().update_step(gradient, variable, learning_rate)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars)


class _InOnePass(keras.optimizers.SGD):
    """SGD in one pass over a variable; Keras' own goes over it six times."""

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


class _SGD(_ByVariable, _InOnePass):
    pass


class _AdamW(_ByVariable, keras.optimizers.Adam):
    pass


class _Lamb(_ByVariable, keras.optimizers.Lamb):
    pass


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
