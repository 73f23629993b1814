"""The training loop, on one device, against softmax regression worked out in numpy."""

import math
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer import metrics, progress, training
from trainer.models import Backbone, Image, classifier
from trainer.recipes import Recipe

CLASSES = 3
KERNEL = np.array([[0.5, -1.0, 0.25], [0.0, 0.75, -0.5], [1.0, 0.5, -0.25], [-0.75, 0.25, 0.5]])
BIAS = np.array([0.1, -0.2, 0.3])
STRATEGY = tf.distribute.get_strategy()


def softmax_regression() -> keras.Model:
    """Logits images/100 · KERNEL + BIAS."""
    images = keras.Input((2, 2, 1))
    backbone = keras.Model(images, keras.layers.Flatten()(images / 100), name="backbone")
    model = classifier.build(backbone, CLASSES)
    model.get_layer("head").set_weights([KERNEL, BIAS])
    return model


def compact_cnn(classes: int = CLASSES, **options) -> keras.Model:
    return classifier.build(Backbone(name="compact_cnn").build(Image(size=16, channels=1)), classes, **options)


def random_batches(steps: int, size: int = 2, batch_size: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Images [steps, batch_size, size, size, 1] that tell a little of their labels, [steps, batch_size]."""
    random = np.random.default_rng(11)
    labels = random.integers(0, CLASSES, (steps, batch_size))
    images = random.integers(0, 200, (steps, batch_size, size, size, 1)) + 25 * labels[..., None, None, None]
    return images.astype(np.uint8), labels


def batches(images: np.ndarray, labels: np.ndarray) -> Callable[[int], tf.data.Dataset]:
    dataset = tf.data.Dataset.from_tensor_slices((images, *single(labels), weights_of(labels))).repeat()
    return dataset.skip


def single(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels and the presence of examples that have one label each."""
    return labels[..., None], np.ones_like(labels[..., None], np.float32)


def weights_of(labels: np.ndarray) -> np.ndarray:
    """The weights of the loss: 0.5 for class 0, 1 for class 1, and so on."""
    return ((1 + labels) / 2).astype(np.float32)


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 5, "batch_size": 4, "learning_rate": 0.3, "warmup": 0.0, "momentum": 0.0, **changes})


def by_hand(images: np.ndarray, labels: np.ndarray, recipe: Recipe) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Returns the loss of every step, the last kernel and the last bias."""
    kernel, bias = KERNEL.copy(), BIAS.copy()
    velocity = [np.zeros_like(kernel), np.zeros_like(bias)]
    losses = []
    for step in range(recipe.steps):
        x = images[step].reshape(len(images[step]), -1) / 100
        logits = x @ kernel + bias
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        targets = (1 - recipe.label_smoothing) * np.eye(CLASSES)[labels[step]] + recipe.label_smoothing / CLASSES
        weights = weights_of(labels[step])
        losses.append(-(weights * (targets * log_p).sum(1)).mean() + recipe.l2 * (kernel**2).sum())
        error = weights[:, None] * (np.exp(log_p) - targets) / len(x)
        gradients = [x.T @ error + 2 * recipe.l2 * kernel, error.sum(0)]
        if recipe.clip_norm:
            norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients))
            gradients = [gradient * min(1.0, recipe.clip_norm / norm) for gradient in gradients]
        rate = recipe.learning_rate * (1 + math.cos(math.pi * step / recipe.steps)) / 2
        velocity = [recipe.momentum * v - rate * g for v, g in zip(velocity, gradients, strict=True)]
        moves = velocity
        if recipe.nesterov:
            moves = [recipe.momentum * v - rate * g for v, g in zip(velocity, gradients, strict=True)]
        kernel, bias = kernel + moves[0], bias + moves[1]
    return losses, kernel, bias


def mean_loss(history: list[progress.Progress]) -> float:
    """Over all steps. How many steps lie between two reports depends on the speed of the machine."""
    steps = np.diff([0, *(entry.step for entry in history)])
    return float(np.average([entry.loss for entry in history], weights=steps))


class FitTest(tf.test.TestCase):
    def test_the_first_loss_is_smoothed_cross_entropy_and_decay_of_the_kernel(self):
        images = np.array([[[[100], [0]], [[200], [50]]], [[[0], [0]], [[0], [0]]]], np.uint8)[None]
        labels = np.array([[2, 0]])
        _, history = training.fit(
            softmax_regression,
            batches(images, labels),
            recipe(steps=1, batch_size=2, l2=0.01, label_smoothing=0.3),
            STRATEGY,
        )
        # The first image is (1, 0, 2, 0.5), the second black. Each class has 0.1 of the target, the label 0.7 more.
        logits = np.array([[0.5 + 2 - 0.375 + 0.1, -1 + 1 + 0.125 - 0.2, 0.25 - 0.5 + 0.25 + 0.3], [0.1, -0.2, 0.3]])
        cross_entropy = np.log(np.exp(logits).sum(1)) - np.array(
            [0.1 * logits[0, 0] + 0.1 * logits[0, 1] + 0.8 * logits[0, 2], 0.8 * 0.1 - 0.1 * 0.2 + 0.1 * 0.3]
        )
        decay = 0.01 * (0.25 + 1 + 0.0625 + 0 + 0.5625 + 0.25 + 1 + 0.25 + 0.0625 + 0.5625 + 0.0625 + 0.25)
        self.assertEqual([(entry.step, entry.steps) for entry in history], [(1, 1)])
        self.assertAllClose(history[0].loss, (1.5 * cross_entropy[0] + 0.5 * cross_entropy[1]) / 2 + decay, rtol=1e-6)

    def test_losses_and_weights_are_those_worked_out_by_hand(self):
        for name, changes in {
            "plain": {},
            "weight decay and smoothing": {"l2": 0.05, "label_smoothing": 0.2},
            "clipped": {"clip_norm": 0.5, "l2": 0.05},
            "clipped at a norm that is seldom reached": {"clip_norm": 1.5},
            "momentum": {"momentum": 0.8},
            "Nesterov momentum": {"momentum": 0.8, "nesterov": True},
        }.items():
            with self.subTest(name):
                settings = recipe(**changes)
                images, labels = random_batches(settings.steps)
                losses, kernel, bias = by_hand(images, labels, settings)
                model, history = training.fit(softmax_regression, batches(images, labels), settings, STRATEGY)
                self.assertAllClose(mean_loss(history), np.mean(losses), rtol=1e-5)
                self.assertAllClose(model.get_layer("head").kernel, kernel, rtol=1e-4, atol=1e-5)
                self.assertAllClose(model.get_layer("head").bias, bias, rtol=1e-4, atol=1e-5)

    def test_an_auxiliary_head_adds_its_cross_entropy_times_0_4(self):
        images, labels = random_batches(1)

        def with_auxiliary() -> keras.Model:
            pixels = keras.Input((2, 2, 1))
            flat = keras.layers.Flatten()(pixels / 100)
            model = classifier.build(
                keras.Model(pixels, {"features": flat, "auxiliary": 2 * flat}, name="backbone"), CLASSES
            )
            model.get_layer("head").set_weights([KERNEL, BIAS])
            model.get_layer("auxiliary_head").set_weights([KERNEL / 2, BIAS])  # the same logits
            return model

        for changes in ({}, {"label_smoothing": 0.2}):
            one = recipe(steps=1, **changes)
            (loss,), kernel, _ = by_hand(images, labels, one)
            model, history = training.fit(with_auxiliary, batches(images, labels), one, STRATEGY)
            self.assertAllClose(history[0].loss, 1.4 * loss, rtol=1e-5)
            self.assertAllClose(model.get_layer("head").kernel, kernel, rtol=1e-4, atol=1e-5)
            # Twice the input and 0.4 of the loss: 0.8 of the step.
            moved = model.get_layer("auxiliary_head").kernel - KERNEL / 2
            self.assertAllClose(moved, 0.8 * (kernel - KERNEL), rtol=1e-3, atol=1e-5)

    def test_what_follows_the_progress_is_told_before_each_step(self):
        class Recorder(keras.layers.Layer):
            """Sums the progress that it is told, over the steps."""

            def build(self, input_shape):
                self.progress = self.add_weight(name="training_progress", shape=(), trainable=False)
                self.total = self.add_weight(name="total", shape=(), initializer="zeros", trainable=False)

            def call(self, inputs, training=False):
                if training:
                    self.total.assign_add(self.progress)
                return inputs

        def following() -> keras.Model:
            pixels = keras.Input((2, 2, 1))
            flat = Recorder(name="recorder")(keras.layers.Flatten()(pixels / 100))
            return classifier.build(keras.Model(pixels, flat, name="backbone"), CLASSES)

        images, labels = random_batches(8)
        model, _ = training.fit(following, batches(images, labels), recipe(steps=8), STRATEGY)
        recorder = model.get_layer("backbone").get_layer("recorder")
        self.assertAllClose(recorder.progress, 7 / 8)
        self.assertAllClose(recorder.total, sum(range(8)) / 8)

    def test_in_the_ramp_the_first_step_changes_nothing(self):
        images, labels = random_batches(2)
        one = recipe(steps=2, warmup=0.5)
        model, _ = training.fit(softmax_regression, batches(images, labels), one, STRATEGY)
        # The second step has the peak, and starts from the weights that the first one left alone.
        _, kernel, _ = by_hand(images[1:], labels[1:], recipe(steps=1))
        self.assertAllClose(model.get_layer("head").kernel, kernel, rtol=1e-4, atol=1e-5)

    def test_a_warmup_that_rounds_up_to_all_steps_leaves_one(self):
        images, labels = random_batches(2)
        _, history = training.fit(softmax_regression, batches(images, labels), recipe(steps=2, warmup=0.99), STRATEGY)
        self.assertEqual(history[-1].step, 2)

    def test_history_counts_up_to_the_last_step_and_is_what_the_listener_heard(self):
        images, labels = random_batches(23)
        heard = []
        with progress.listening(heard.append):
            _, history = training.fit(softmax_regression, batches(images, labels), recipe(steps=23), STRATEGY)
        self.assertEqual(heard, history)
        steps = [entry.step for entry in history]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertEqual(steps[-1], 23)
        self.assertEqual({entry.steps for entry in history}, {23})
        self.assertAllGreater([entry.images_per_second for entry in history], 0)

    def test_a_loss_that_is_not_finite_stops_the_training(self):
        images, labels = random_batches(4)
        # 1e30² is beyond float32.
        for weight, loss in ((np.nan, "nan"), (1e30, "inf")):
            with self.subTest(loss):

                def broken(weight=weight) -> keras.Model:
                    model = softmax_regression()
                    model.get_layer("head").set_weights([np.full_like(KERNEL, weight), BIAS])
                    return model

                # The ramp starts from 0.
                message = f"the loss became {loss} at step 1, at a learning rate of 0; lower learning_rate"
                heard = []
                with pytest.raises(FloatingPointError, match=message), progress.listening(heard.append):
                    training.fit(broken, batches(images, labels), recipe(steps=4, warmup=0.5, l2=0.1), STRATEGY)
                self.assertEmpty(heard)

    def test_a_learning_rate_that_is_too_high_is_found_out(self):
        images, labels = random_batches(20)
        with pytest.raises(FloatingPointError, match=r"at step \d+, at a learning rate of \d\.\d+e\+3\d; lower"):
            training.fit(softmax_regression, batches(images, labels), recipe(steps=20, learning_rate=1e38), STRATEGY)

    def test_a_network_learns_what_can_be_told_apart(self):
        images, labels = self.bars(64)
        settings = recipe(steps=40, batch_size=64, learning_rate=0.1, momentum=0.9, warmup=0.1)
        keras.utils.set_random_seed(1)
        model, history = training.fit(compact_cnn, batches(images[None], labels[None]), settings, STRATEGY)
        self.assertLess(history[-1].loss, 0.1)
        self.assertGreater(history[0].loss, 0.7)
        for layer in model.get_layer("backbone").layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                self.assertGreater(np.abs(layer.moving_mean).max(), 0.01)
        images, labels = self.bars(50, seed=2)
        result = training.evaluate(model, tf.data.Dataset.from_tensor_slices((images, *single(labels))).batch(20))
        self.assertEqual((result.examples, result.accuracy), (50, 1.0))

    def test_the_same_seed_gives_the_same_weights(self):
        images, labels = random_batches(4, size=16, batch_size=8)
        settings = recipe(steps=4, batch_size=8, momentum=0.9, l2=1e-4, clip_norm=5.0)

        def weights(seed: int) -> list[np.ndarray]:
            keras.utils.set_random_seed(seed)
            model, _ = training.fit(
                lambda: compact_cnn(dropout=0.3, seed=seed), batches(images, labels), settings, STRATEGY
            )
            return model.get_weights()

        first, again, other = weights(6), weights(6), weights(7)
        for a, b in zip(first, again, strict=True):
            self.assertAllEqual(a, b)
        self.assertNotAllClose(first[0], other[0])

    def bars(self, count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Noisy images with a bright bar at the left, in the middle or at the right, by label."""
        random = np.random.default_rng(seed)
        labels = random.integers(0, CLASSES, count)
        images = random.integers(0, 60, (count, 16, 16, 1))
        for image, label in zip(images, labels, strict=True):
            image[:, 1 + 5 * label : 4 + 5 * label] += 150
        return images.astype(np.uint8), labels


class KernelsTest(tf.test.TestCase):
    def test_weight_decay_touches_the_kernels_and_nothing_else(self):
        model = compact_cnn()
        decayed = training.kernels(model)
        self.assertEqual(
            [variable.path.split("/")[-2:] for variable in decayed],
            [*([f"conv_{i}", "kernel"] for i in range(6)), ["head", "kernel"]],
        )
        left = {variable.path.split("/")[-1] for variable in model.trainable_variables} - {"kernel"}
        self.assertEqual(left, {"beta", "bias"})
        self.assertLen(model.trainable_variables, 7 + 6 + 1)


class EvaluateTest(tf.test.TestCase):
    def test_exact_values_over_batches_of_different_sizes(self):
        # Black images have the bias as their logits, (0.1, -0.2, 0.3); a bright first pixel adds (1, -2, 0.5).
        images = np.zeros((5, 2, 2, 1), np.uint8)
        images[3:, 0, 0] = 200
        labels = np.array([2, 0, 2, 0, 1])
        log_sum = [math.log(sum(math.exp(x) for x in row)) for row in ((0.1, -0.2, 0.3), (1.1, -2.2, 0.8))]
        losses = [log_sum[0] - 0.3, log_sum[0] - 0.1, log_sum[0] - 0.3, log_sum[1] - 1.1, log_sum[1] + 2.2]
        examples = tf.data.Dataset.from_tensor_slices((images, *single(labels))).batch(3)
        self.assertEqual(
            training.evaluate(softmax_regression(), examples),
            metrics.Metrics(
                examples=5,
                accuracy=0.6,
                top_5_accuracy=1.0,
                mean_per_class_accuracy=pytest.approx((1 / 2 + 0 + 1) / 3),
                cross_entropy=pytest.approx(sum(losses) / 5, abs=1e-6),
            ),
        )

    def test_an_example_is_judged_alone_and_teaches_nothing(self):
        images, labels = random_batches(1, size=16, batch_size=7)
        model = compact_cnn()
        before = model.get_weights()
        examples = tf.data.Dataset.from_tensor_slices((images[0], *single(labels[0])))
        together, alone = (training.evaluate(model, examples.batch(size)) for size in (7, 1))
        self.assertAllClose(together.cross_entropy, alone.cross_entropy, rtol=1e-5)
        for a, b in zip(before, model.get_weights(), strict=True):
            self.assertAllEqual(a, b)

    def test_nothing_to_evaluate(self):
        images, labels = random_batches(1)
        with pytest.raises(ValueError, match="no example"):
            training.evaluate(softmax_regression(), batches(images, labels)(0).take(0))
