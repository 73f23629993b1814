"""The average of the weights, step by step; after a few hundred steps it is as good as the weights."""

import keras
import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf

from trainer.loop import evaluation, fit
from trainer.loop.average import Average
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe


class AverageTest(tf.test.TestCase):
    def test_the_decay_warms_up_to_what_is_asked(self):
        variable = tf.Variable([1.0, -4.0])
        average = Average([variable], decay=0.2)
        expected = [1.0, -4.0]
        for step, value in enumerate(([3.0, 0.0], [5.0, 5.0], [-1.0, 2.0], [0.0, 8.0])):
            variable.assign(value)
            average.update(tf.constant(step, tf.int64))
            # 1/10, 2/11 and then, instead of 3/12 and 4/13, what is asked.
            decay = min(0.2, (1 + step) / (10 + step))
            expected = [decay * old + (1 - decay) * new for old, new in zip(expected, value, strict=True)]
            self.assertAllClose(average.variables[0], expected, rtol=1e-6)
        self.assertAllEqual(variable, [0.0, 8.0])

    def test_each_variable_has_its_own(self):
        variables = [tf.Variable(1.0), tf.Variable([[2.0], [3.0]])]
        average = Average(variables, decay=0.9)
        self.assertAllEqual([v.shape.rank for v in average.variables], [0, 2])
        variables[1].assign([[12.0], [3.0]])
        average.update(tf.constant(0))
        self.assertAllClose(average.variables[0], 1.0)
        self.assertAllClose(average.variables[1], [[11.0], [3.0]])


def accuracy(seed: int, ema: float | None) -> float:
    """Returns the accuracy on 1,297 handwritten digits after 300 steps on 500 others."""
    digits = sklearn.datasets.load_digits()
    images = np.kron(digits.images, np.ones((2, 2)))[..., None].astype(np.uint8) * 15
    labels = digits.target[:, None]
    presence = np.ones(labels.shape, np.float32)
    recipe = Recipe(
        steps=300, batch_size=64, learning_rate=0.1, nesterov=True, l2=4e-5, clip_norm=5.0, warmup=0.1, ema=ema
    )

    def batches(step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = (images[:500], labels[:500], presence[:500], np.ones(500, np.float32))
        shuffled = tf.data.Dataset.from_tensor_slices(rows).shuffle(500, seed=seed).repeat()
        return shuffled.batch(context.get_per_replica_batch_size(64)).skip(step)

    keras.utils.set_random_seed(seed)
    model, _ = fit.fit(
        lambda: classifier.build(Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=1)), 10),
        batches,
        recipe,
        tf.distribute.get_strategy(),
    )
    rest = tf.data.Dataset.from_tensor_slices((images[500:], labels[500:], presence[500:])).batch(500)
    return evaluation.evaluate(evaluation.make_predict(model), rest).accuracy


@pytest.mark.slow
def test_it_is_not_worse_by_more_than_the_seeds_differ():
    plain, averaged = (np.array([accuracy(seed, ema) for seed in range(3)]) for ema in (None, 0.99))
    assert plain.min() > 0.85  # it has learnt, or there would be nothing to compare
    assert averaged.mean() >= plain.mean() - max(np.ptp(plain), 0.005), (plain, averaged)
