"""Evaluation of a model over all examples of a split."""

import keras
import tensorflow as tf

from trainer import metrics


def evaluate(model: keras.Model, batches: tf.data.Dataset, *, loss: str = "softmax") -> metrics.Metrics:
    """Returns the metrics of `model` over all examples of `batches`, (images, labels, presence), one batch at a time.

    Raises:
      ValueError: there is no example, or `trainer.metrics.Sums` refuses a batch.
    """

    @tf.function(reduce_retracing=True)
    def predict(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)["logits"]

    sums = metrics.Sums(loss)
    for images, labels, presence in batches:
        sums.add(predict(images).numpy(), labels.numpy(), presence.numpy() > 0)
    return sums.metrics()
