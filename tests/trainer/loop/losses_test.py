"""Losses against numpy, which writes every distribution out over the vocabulary."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import losses
from trainer.recipes import Recipe

LABELS = np.array([[3, 1], [0, 0], [4, 2]])
PRESENCE = np.array([[1.0, 1.0], [1.0, 0.0], [0.7, 0.3]], np.float32)  # two labels; one and padding; a mixture
TARGETS = np.array([[0, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0.3, 0, 0.7]])


def logits(scale: float = 2.0) -> np.ndarray:
    return scale * np.random.default_rng(4).normal(size=(3, 5)).astype(np.float32)


class CrossEntropyTest(tf.test.TestCase):
    def entropy(self, values: np.ndarray, **options) -> tf.Tensor:
        return losses.cross_entropy(tf.constant(LABELS), tf.constant(PRESENCE), tf.constant(values), **options)

    def test_softmax_asks_for_shares(self):
        shares = TARGETS / TARGETS.sum(axis=1, keepdims=True)
        log_p = logits() - np.log(np.exp(logits()).sum(axis=1, keepdims=True))
        self.assertAllClose(self.entropy(logits(), kind="softmax"), -(shares * log_p).sum(axis=1), rtol=1e-5)
        smoothed = 0.8 * shares + 0.2 / 5
        expected = -(smoothed * log_p).sum(axis=1)
        self.assertAllClose(self.entropy(logits(), kind="softmax", smoothing=0.2), expected, rtol=1e-5)

    def test_sigmoid_asks_each_label(self):
        p = 1 / (1 + np.exp(-logits()))
        expected = -(TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p)).sum(axis=1)
        self.assertAllClose(self.entropy(logits(), kind="sigmoid"), expected, rtol=1e-5)

    def test_large_logits_do_not_overflow(self):
        for kind in ("softmax", "sigmoid"):
            self.assertAllInRange(self.entropy(logits(300.0), kind=kind), 0, 3000)

    def test_gradients_are_those_of_tensorflow(self):
        values = tf.constant(logits())
        dense = tf.constant(TARGETS, tf.float32)
        shares = dense / tf.reduce_sum(dense, axis=1, keepdims=True)
        for kind, reference in (
            ("softmax", lambda: tf.nn.softmax_cross_entropy_with_logits(shares, values)),
            ("sigmoid", lambda: tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(dense, values), axis=1)),
        ):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(values)
                ours, theirs = self.entropy(values, kind=kind), reference()
            self.assertAllClose(tape.gradient(ours, values), tape.gradient(theirs, values), rtol=1e-4, atol=1e-6)

    def test_an_unknown_kind(self):
        with pytest.raises(ValueError, match="kind: 'hinge'; must be softmax or sigmoid"):
            self.entropy(logits(), kind="hinge")

    def test_focal_weighs_what_is_right_by_what_is_missing(self):
        p = 1 / (1 + np.exp(-logits()))
        for gamma, alpha in ((2.0, 0.25), (0.0, 0.5), (0.5, 0.9)):
            right = TARGETS * p + (1 - TARGETS) * (1 - p)
            weight = TARGETS * alpha + (1 - TARGETS) * (1 - alpha)
            entropy = -(TARGETS * np.log(p) + (1 - TARGETS) * np.log(1 - p))
            ours = losses.focal(
                tf.constant(LABELS), tf.constant(PRESENCE), tf.constant(logits()), gamma=gamma, alpha=alpha
            )
            self.assertAllClose(ours, (weight * (1 - right) ** gamma * entropy).sum(axis=1), rtol=1e-5)

    def test_focal_of_a_label_that_two_mixed_images_share(self):
        values = tf.constant(logits())
        twice = losses.focal(tf.constant([[2, 2]] * 3), tf.constant([[0.75, 0.25]] * 3), values)
        self.assertAllClose(twice, losses.focal(tf.constant([[2]] * 3), tf.constant([[1.0]] * 3), values), rtol=1e-6)

    def test_focal_has_finite_gradients_where_nothing_is_missing(self):
        values = tf.constant([[90.0, -90.0], [-90.0, 90.0]])
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = losses.focal(tf.constant([[0], [0]]), tf.constant([[1.0], [1.0]]), values, gamma=0.5)
        self.assertAllClose(loss, [0.0, 0.25 * 90 + 0.75 * 90])
        self.assertAllClose(tape.gradient(loss, values), [[0.0, 0.0], [-0.25, 0.75]])

    def test_the_loss_of_a_recipe(self):
        arguments = tf.constant(LABELS), tf.constant(PRESENCE), tf.constant(logits())
        settings = {"steps": 1, "batch_size": 1, "learning_rate": 1.0}
        for recipe, expected in (
            (Recipe(**settings, label_smoothing=0.2), losses.cross_entropy(*arguments, kind="softmax", smoothing=0.2)),
            (Recipe(**settings, loss="sigmoid"), losses.cross_entropy(*arguments, kind="sigmoid")),
            (
                Recipe(**settings, loss="focal", focal_gamma=1.0, focal_alpha=0.5),
                losses.focal(*arguments, gamma=1.0, alpha=0.5),
            ),
        ):
            self.assertAllEqual(losses.loss(recipe, *arguments), expected)

    def test_hits(self):
        first = np.array([[0, 9, 0, 1, 0], [0, 1, 2, 3, 4], [0, 9, 1, 0, 3]], np.float32)  # 1, 4 and 1 come first
        self.assertAllEqual(losses.hits(tf.constant(LABELS), tf.constant(PRESENCE), tf.constant(first)), [1, 0, 0])
        padding = np.array([[0, 9, 0, 1, 0], [9, 1, 2, 3, 4], [0, 0, 1, 0, 3]], np.float32)  # 1, 0 and 4
        self.assertAllEqual(losses.hits(tf.constant(LABELS), tf.constant(PRESENCE), tf.constant(padding)), [1, 1, 1])
        absent = tf.constant(np.where(LABELS == 0, 0.0, PRESENCE).astype(np.float32))
        self.assertAllEqual(losses.hits(tf.constant(LABELS), absent, tf.constant(padding)), [1, 0, 1])
