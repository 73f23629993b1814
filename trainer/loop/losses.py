"""Losses over labels that are given as a few numbers each, never as a row over the whole vocabulary."""

import tensorflow as tf


def cross_entropy(
    labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor, *, kind: str, smoothing: float = 0.0
) -> tf.Tensor:
    """Returns the cross entropy of each example, float32 [batch], in nats.

    With 'softmax' it is that between softmax(logits) and the target distribution, in which the labels of an example
    have shares in proportion to their presence, 1 − smoothing in all, and all labels of the vocabulary share the rest
    (Szegedy et al. 2015, section 7). With 'sigmoid' it is the sum over the vocabulary of each label's binary cross
    entropy, its presence being the probability to reach.

    Args:
      labels: int [batch, n], each example's labels, and anything within the vocabulary where there are fewer than n.
      presence: float32 [batch, n], how present each is in the example: 1 for a label that it simply has, 0 for none.
      logits: float32 [batch, labels of the vocabulary].
      kind: 'softmax' or 'sigmoid'.
      smoothing: with 'softmax' only.

    Raises:
      ValueError: the kind is unknown.
    """
    own = tf.gather(logits, labels, axis=1, batch_dims=1)
    if kind == "sigmoid":
        # For a logit z the binary cross entropy to p is softplus(z) − p z.
        return tf.reduce_sum(tf.nn.softplus(logits), axis=1) - tf.reduce_sum(presence * own, axis=1)
    if kind != "softmax":
        raise ValueError(f"kind: {kind!r}; must be softmax or sigmoid")
    expected = tf.reduce_sum(presence * own, axis=1) / tf.reduce_sum(presence, axis=1)
    if smoothing:
        expected = (1 - smoothing) * expected + smoothing * tf.reduce_mean(logits, axis=1)
    return tf.reduce_logsumexp(logits, axis=1) - expected


def hits(labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns whether each example's highest logit is one of its labels, float32 [batch]."""
    first = tf.argmax(logits, axis=1, output_type=labels.dtype)[:, None]
    return tf.cast(tf.reduce_any((labels == first) & (presence > 0), axis=1), tf.float32)
