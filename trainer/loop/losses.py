"""Losses over sparse labels: a few indices an example, never a row over the whole vocabulary."""

import tensorflow as tf

from trainer.recipes import Recipe

_TINY = 1e-37  # log 0 would make gradients NaN


def loss(recipe: Recipe, labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns the loss of `recipe` of each example, float32 [batch]; arguments as in `cross_entropy`."""
    if recipe.loss == "focal":
        return focal(labels, presence, logits, gamma=recipe.focal_gamma, alpha=recipe.focal_alpha)
    return cross_entropy(labels, presence, logits, kind=recipe.loss, smoothing=recipe.label_smoothing)


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


def focal(
    labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor, *, gamma: float = 2.0, alpha: float = 0.25
) -> tf.Tensor:
    """Returns the focal loss of each example, float32 [batch], in nats (Lin et al. 2017, arXiv 1708.02002).

    It is the sum over all labels of the vocabulary of w · (1 − p)^γ · the binary cross entropy. p is the probability
    that the model gives to what is right, and w is α for the labels of the example and 1 − α for the others. For a
    label that is present by q, both are the means of the two, weighted by q and 1 − q.

    Args:
      labels, presence, logits: as in `cross_entropy`.
      gamma: ≥ 0.
      alpha: 0 to 1.
    """
    equal = labels[:, :, None] == labels[:, None, :]
    is_first = ~tf.reduce_any(tf.linalg.band_part(equal, -1, 0) & ~tf.eye(tf.shape(labels)[1], dtype=tf.bool), axis=2)
    shares = tf.reduce_sum(tf.where(equal, presence[:, None, :], 0.0), axis=2)
    label_logits = tf.gather(logits, labels, axis=1, batch_dims=1)

    def of_absent(logits: tf.Tensor) -> tf.Tensor:  # what `_focal_term` is at a share of 0, without its logarithms
        return (1 - alpha) * tf.exp(-gamma * tf.nn.softplus(-logits)) * tf.nn.softplus(logits)

    corrections = _focal_term(shares, label_logits, gamma, alpha) - of_absent(label_logits)
    return tf.reduce_sum(of_absent(logits), axis=1) + tf.reduce_sum(tf.where(is_first, corrections, 0.0), axis=1)


def _focal_term(share: tf.Tensor, logits: tf.Tensor, gamma: float, alpha: float) -> tf.Tensor:
    """Returns the loss of single labels that are present by `share`, by their logits."""
    # log (1 − p), from logits: of a difference of probabilities nothing would be left.
    log_wrong = tf.reduce_logsumexp(
        [
            tf.math.log(tf.maximum(share, _TINY)) - tf.nn.softplus(logits),
            tf.math.log(tf.maximum(1 - share, _TINY)) - tf.nn.softplus(-logits),
        ],
        axis=0,
    )
    weight = share * alpha + (1 - share) * (1 - alpha)
    return weight * tf.exp(gamma * log_wrong) * (tf.nn.softplus(logits) - share * logits)


def hits(labels: tf.Tensor, presence: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Returns 1 for each example whose highest logit is one of its labels, else 0, float32 [batch]."""
    first = tf.argmax(logits, axis=1, output_type=labels.dtype)[:, None]
    return tf.cast(tf.reduce_any((labels == first) & (presence > 0), axis=1), tf.float32)
