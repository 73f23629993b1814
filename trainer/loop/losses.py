"""Losses over sparse labels: a few indices an example, never a row over the whole vocabulary."""

import tensorflow as tf


def cross_entropy(
    labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor, *, kind: str, smoothing: float = 0.0
) -> tf.Tensor:
    """Returns the cross entropy of each example, float32 [batch], in nats.

    With 'softmax' it is between softmax(logits) and a target distribution. There the labels of an example share
    1 − smoothing in proportion to their presence, and all labels of the vocabulary share the rest (Szegedy et al. 2015,
    section 7). With 'sigmoid' it is the sum of the binary cross entropies of all labels of the vocabulary; the presence
    of a label is its target probability.

    Args:
      labels: int [batch, n], each example's labels, padded with any index of the vocabulary.
      presence: float32 [batch, n], how present each label is: 1, less where images are mixed, 0 for padding.
      logits: float32 [batch, labels of the vocabulary].
      kind: 'softmax' or 'sigmoid'.
      smoothing: with 'softmax' only.

    Raises:
      ValueError: the kind is unknown.
    """
    label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)
    if kind == "sigmoid":
        # For a logit z the binary cross entropy to p is softplus(z) − p z.
        return tf.reduce_sum(tf.nn.softplus(logits), axis=1) - tf.reduce_sum(presence * label_logits, axis=1)
    if kind != "softmax":
        raise ValueError(f"kind: {kind!r}; must be softmax or sigmoid")
    expected = tf.reduce_sum(presence * label_logits, axis=1) / tf.reduce_sum(presence, axis=1)
    if smoothing:
        expected = (1 - smoothing) * expected + smoothing * tf.reduce_mean(logits, axis=1)
    return tf.reduce_logsumexp(logits, axis=1) - expected


def hits(labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns 1 for each example whose highest logit is one of its labels, else 0, float32 [batch]."""
    first = tf.argmax(logits, axis=1, output_type=labels.dtype)[:, None]
    return tf.cast(tf.reduce_any((labels == first) & (presence > 0), axis=1), tf.float32)
