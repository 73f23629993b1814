"""The exponential moving average of a model's weights, and of the statistics of its batch normalisation."""

from collections.abc import Sequence

import tensorflow as tf


class Average:
    """Follows variables step by step: average ← d · average + (1 − d) · variable.

    The decay d grows as min(decay, (1 + t) / (10 + t)) with the number of steps t done before, as that of
    `tf.train.ExponentialMovingAverage` does when it is told them: an average over the first steps would otherwise be
    made of the random start.

    Create it in the scope of the strategy; each replica averages what it has, without communication.

    Args:
      variables: floating-point ones; those of each replica are the same.
      decay: of the average, in the long run.
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
        """Takes in the variables' present values; to be called in a replica's context, once a step."""
        done = tf.cast(steps_before, tf.float32)
        share = 1 - tf.minimum(self._decay, (1 + done) / (10 + done))
        for variable, average in self._pairs:
            average.assign_add(share * (tf.convert_to_tensor(variable) - average))
