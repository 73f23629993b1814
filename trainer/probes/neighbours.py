"""A layer that classifies by the nearest of known examples."""

import keras
import tensorflow as tf

TEMPERATURE = 0.07  # that of Wu et al. 2018 (arXiv 1805.01978, section 3.4)
_TINY = 1e-6  # is added to the shares: log 0 is no number


def find_nearest(features: tf.Tensor, bank: tf.Tensor, labels: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the cosines and the labels of the `k` nearest examples, [batch, k], the nearest first.

    Args:
      features: float32 [batch, width].
      bank: float32 [examples, width], those of the known examples, of length 1.
      labels: int32 [examples], theirs.
      k: at most the number of examples. Of equally near ones the first come first.
    """
    found = tf.math.top_k(tf.linalg.matmul(tf.math.l2_normalize(features, axis=1), bank, transpose_b=True), k)
    return found.values, tf.gather(labels, found.indices)


def vote(cosines: tf.Tensor, labels: tf.Tensor, classes: int, temperature: float = TEMPERATURE) -> tf.Tensor:
    """Returns the logarithm of the share of the votes that each label has, float32 [batch, classes].

    An example at a cosine of c has a vote of exp(c / temperature) (Wu et al. 2018, arXiv 1805.01978, section 3.4). The
    softmax of the result is the shares. One without a vote has 1e-6.

    Args:
      cosines, labels: as `find_nearest` returns them.
      classes: the number of labels.
      temperature: > 0.
    """
    shares = tf.nn.softmax(cosines / temperature, axis=1)
    rows = tf.broadcast_to(tf.range(tf.shape(labels)[0])[:, None], tf.shape(labels))
    of_labels = tf.scatter_nd(tf.stack([rows, labels], axis=2), shares, [tf.shape(labels)[0], classes])
    return tf.math.log(of_labels + _TINY)


@keras.saving.register_keras_serializable("specialist")
class NearestNeighbours(keras.layers.Layer):
    """Features, float32 [batch, width], to the logarithm of the share of votes of each label, [batch, classes].

    Its weights are the bank: `bank`, float32 [examples, width], and `labels`, int32 [examples]; as in `find_nearest`.
    They are 4 · (width + 1) bytes an example, and so is the model's file.

    Args:
      k: how many of the nearest examples vote.
      classes: the number of labels.
      examples: the number of examples in the bank.
      temperature: of the votes, see `vote`.
    """

    def __init__(self, k: int, classes: int, examples: int, temperature: float = TEMPERATURE, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 1 <= k <= examples:
            raise ValueError(f"k: {k} of {examples} examples; it must be at least 1 and at most their number")
        self.k, self.classes, self.examples, self.temperature = k, classes, examples, temperature

    def build(self, input_shape) -> None:
        self.bank = self.add_weight(
            name="bank", shape=(self.examples, input_shape[-1]), initializer="zeros", trainable=False
        )
        self.labels = self.add_weight(
            name="labels", shape=(self.examples,), initializer="zeros", dtype="int32", trainable=False
        )

    def call(self, inputs):
        return vote(*find_nearest(inputs, self.bank.value, self.labels.value, self.k), self.classes, self.temperature)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.classes)

    def get_config(self) -> dict:
        own = {"k": self.k, "classes": self.classes, "examples": self.examples, "temperature": self.temperature}
        return {**super().get_config(), **own}
