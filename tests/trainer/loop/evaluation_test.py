import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer import metrics
from trainer.loop import evaluation
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig

CLASSES = 3


def softmax_regression() -> keras.Model:
    images = keras.Input((2, 2, 1))
    backbone = keras.Model(images, keras.layers.Flatten()(images / 100), name="backbone")
    model = classifier.build(backbone, CLASSES)
    kernel = [[0.5, -1.0, 0.25], [0.0, 0.75, -0.5], [1.0, 0.5, -0.25], [-0.75, 0.25, 0.5]]
    model.get_layer("head").set_weights([np.array(kernel), np.array([0.1, -0.2, 0.3])])
    return model


class EvaluateTest(tf.test.TestCase):
    def test_exact_values_over_batches_of_different_sizes(self):
        # Black images have the bias as their logits, (0.1, -0.2, 0.3); a bright first pixel adds (1, -2, 0.5).
        images = np.zeros((5, 2, 2, 1), np.uint8)
        images[3:, 0, 0] = 200
        labels = np.array([2, 0, 2, 0, 1])
        log_sum = [math.log(sum(math.exp(x) for x in row)) for row in ((0.1, -0.2, 0.3), (1.1, -2.2, 0.8))]
        losses = [log_sum[0] - 0.3, log_sum[0] - 0.1, log_sum[0] - 0.3, log_sum[1] - 1.1, log_sum[1] + 2.2]
        examples = tf.data.Dataset.from_tensor_slices((images, labels[:, None], np.ones((5, 1)))).batch(3)
        self.assertEqual(
            evaluation.evaluate(evaluation.make_predict(softmax_regression()), examples),
            metrics.Metrics(
                examples=5,
                accuracy=0.6,
                top_5_accuracy=1.0,
                mean_per_class_accuracy=pytest.approx((1 / 2 + 0 + 1) / 3),
                cross_entropy=pytest.approx(sum(losses) / 5, abs=1e-6),
            ),
        )

    def test_an_example_is_judged_alone_and_teaches_nothing(self):
        random = np.random.default_rng(11)
        images, labels = random.integers(0, 256, (7, 16, 16, 1), np.uint8), random.integers(0, CLASSES, (7, 1))
        model = classifier.build(Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=1)), CLASSES)
        before = model.get_weights()
        examples = tf.data.Dataset.from_tensor_slices((images, labels, np.ones((7, 1))))
        together, alone = (evaluation.evaluate(evaluation.make_predict(model), examples.batch(size)) for size in (7, 1))
        self.assertAllClose(together.cross_entropy, alone.cross_entropy, rtol=1e-5)
        for a, b in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(a, b)

    def test_nothing_to_evaluate(self):
        rows = (np.zeros((0, 2, 2, 1), np.uint8), np.zeros((0, 1), np.int64), np.ones((0, 1)))
        with pytest.raises(ValueError, match="no example"):
            evaluation.evaluate(
                evaluation.make_predict(softmax_regression()), tf.data.Dataset.from_tensor_slices(rows).batch(2)
            )

    def test_a_label_that_the_model_does_not_know(self):
        rows = (np.zeros((1, 2, 2, 1), np.uint8), np.array([[CLASSES]]), np.ones((1, 1)))
        with pytest.raises(ValueError, match="outside the 3 classes"):
            evaluation.evaluate(
                evaluation.make_predict(softmax_regression()), tf.data.Dataset.from_tensor_slices(rows).batch(2)
            )
