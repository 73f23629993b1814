"""Branches of a graph that are seldom gone into."""

from collections.abc import Callable, Sequence

import tensorflow as tf


def set_apart(
    function: Callable[..., tf.Tensor], input_signature: Sequence[tf.TensorSpec] | None = None
) -> Callable[..., tf.Tensor]:
    """Returns `function` for a branch of `tf.cond` that is seldom gone into, such that it costs nothing otherwise.

    TensorFlow puts the operations of both branches into the graph around them, and passes each of them in every
    execution. A call of a function that it must not inline is a single operation.
    """
    return tf.function(function, input_signature, autograph=False, experimental_attributes={"_noinline": True})
