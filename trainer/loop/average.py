"""The exponential moving average of a model's weights, and of the statistics of its batch normalisation."""

from collections.abc import Sequence

import tensorflow as tf


class Average:
    """Follows variables step by step: average ← d · average + (1 − d) · variable.

    The decay d is min(decay, (1 + t) / (10 + t)) after t steps, as in `tf.train.ExponentialMovingAverage` with
    `num_updates`. It starts low so that the random initial weights do not dominate the first averages.

    Create it in the scope of the strategy. Each replica averages its own copy, without communication.

    Args:
      variables: floating-point variables with equal values on all replicas.
      decay: upper limit of d.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float):
        self._pairs = [
            (
                variable,
                tf.Variable(
                    variable,
                    trainable=False,
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                ),
            )
            for variable in variables
        ]
        self._decay = decay

    @property
    def variables(self) -> list[tf.Variable]:
        """The averages, in the order of the variables."""
        return [average for _, average in self._pairs]

    def update(self, steps_before: tf.Tensor) -> None:
        """Adds the variables' present values. Call it once a step, in a replica's context."""
        done = tf.cast(steps_before, tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + done) / (10 + done))
        for variable, average in self._pairs:
            difference = average - tf.convert_to_tensor(variable)
            tf.raw_ops.ResourceApplyGradientDescent(var=average.handle, alpha=share, delta=difference)
