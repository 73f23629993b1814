"""The training loop, on one device, against softmax regression worked out in numpy."""

import gc
import itertools
import math
from collections.abc import Callable
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import evaluation, fit, progress, variables
from trainer.loop.history import Progress
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Compute, Recipe

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
    return classifier.build(Backbone(name="compact_cnn").build(ImageConfig(size=16, channels=1)), classes, **options)


def random_batches(steps: int, size: int = 2, batch_size: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Images [steps, batch_size, size, size, 1] that tell a little of their labels, [steps, batch_size]."""
    random = np.random.default_rng(11)
    labels = random.integers(0, CLASSES, (steps, batch_size))
    images = random.integers(0, 200, (steps, batch_size, size, size, 1)) + 25 * labels[..., None, None, None]
    return images.astype(np.uint8), labels


def batches(images: np.ndarray, labels: np.ndarray) -> Callable[[int, tf.distribute.InputContext], tf.data.Dataset]:
    """Steps of images and one label each, over and over, cut up for the replicas."""
    labels = labels[..., None]
    rows = (images, labels, np.ones(labels.shape, np.float32), weights_of(labels[..., 0]))

    def following(step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
        steps = tf.data.Dataset.from_tensor_slices(rows).repeat().skip(step)
        size = context.get_per_replica_batch_size(images.shape[1])
        return steps.unbatch().shard(context.num_input_pipelines, context.input_pipeline_id).batch(size)

    return following


def weights_of(labels: np.ndarray) -> np.ndarray:
    """The weights of the loss: 0.5 for class 0, 1 for class 1, and so on."""
    return ((1 + labels) / 2).astype(np.float32)


def recipe(**changes) -> Recipe:
    return Recipe(**{"steps": 5, "batch_size": 4, "learning_rate": 0.3, "warmup": 0.0, "momentum": 0.0, **changes})


def by_hand(
    images: np.ndarray, labels: np.ndarray, recipe: Recipe, steps: int | None = None
) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Returns the loss of every step, the kernel and the bias after `steps`, or all."""
    kernel, bias = KERNEL.copy(), BIAS.copy()
    velocity = [np.zeros_like(kernel), np.zeros_like(bias)]
    losses = []
    for step in range(steps or recipe.steps):
        x = images[step].reshape(len(images[step]), -1) / 100
        logits = x @ kernel + bias
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        targets = (1 - recipe.label_smoothing) * np.eye(CLASSES)[labels[step]] + recipe.label_smoothing / CLASSES
        weights = weights_of(labels[step])
        losses.append(-(weights * (targets * log_p).sum(1)).mean())
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


def mean_loss(history: list[Progress]) -> float:
    """Over all steps. How many steps lie between two reports depends on the speed of the machine."""
    steps = np.diff([0, *(entry.step for entry in history)])
    return float(np.average([entry.loss for entry in history], weights=steps))


class FitTest(tf.test.TestCase):
    def test_the_first_loss_is_smoothed_cross_entropy_without_the_decay_of_the_kernel(self):
        images = np.array([[[[100], [0]], [[200], [50]]], [[[0], [0]], [[0], [0]]]], np.uint8)[None]
        labels = np.array([[2, 0]])
        _, history = fit.fit(
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
        self.assertEqual([(entry.step, entry.steps) for entry in history], [(1, 1)])
        self.assertAllClose(history[0].loss, (1.5 * cross_entropy[0] + 0.5 * cross_entropy[1]) / 2, rtol=1e-6)

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
                model, history = fit.fit(softmax_regression, batches(images, labels), settings, STRATEGY)
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
            model, history = fit.fit(with_auxiliary, batches(images, labels), one, STRATEGY)
            self.assertAllClose(history[0].loss, 1.4 * loss, rtol=1e-5)
            self.assertAllClose(model.get_layer("head").kernel, kernel, rtol=1e-4, atol=1e-5)
            # Twice the input and 0.4 of the loss: 0.8 of the step.
            moved = model.get_layer("auxiliary_head").kernel - KERNEL / 2
            self.assertAllClose(moved, 0.8 * (kernel - KERNEL), rtol=1e-3, atol=1e-5)

    def test_the_history_says_what_the_steps_were_like(self):
        settings = recipe(steps=1, l2=0.05, clip_norm=0.01)
        images, labels = random_batches(1)
        _, (entry,) = fit.fit(softmax_regression, batches(images, labels), settings, STRATEGY)
        x = images[0].reshape(4, -1) / 100
        logits = x @ KERNEL + BIAS
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        error = weights_of(labels[0])[:, None] * (p - np.eye(CLASSES)[labels[0]]) / 4
        norm = math.hypot(np.linalg.norm(x.T @ error + 2 * 0.05 * KERNEL), np.linalg.norm(error.sum(0)))
        self.assertAllClose(entry.gradient_norm, norm, rtol=1e-5)  # before it was clipped
        self.assertEqual(entry.accuracy, (logits.argmax(1) == labels[0]).mean())
        self.assertAllClose(entry.learning_rate, 0.3)

    def test_the_speed_and_the_share_of_the_time_that_is_spent_waiting_for_input(self):
        # Clocks that go on by as much at each look: a batch is waited for a quarter of a second, a step takes two.
        clock, ticks = tf.Variable(0.0, dtype=tf.float64), itertools.count(step=2.0)

        def timestamp() -> tf.Tensor:
            clock.assign_add(0.25)
            return clock.read_value()

        images, labels = random_batches(1)
        with (
            mock.patch.object(tf, "timestamp", timestamp),
            mock.patch.object(fit, "time", mock.Mock(perf_counter=lambda: next(ticks))),
        ):
            _, history = fit.fit(softmax_regression, batches(images, labels), recipe(steps=3), STRATEGY)
        self.assertEqual([(entry.images_per_second, entry.input_wait) for entry in history], [(2.0, 0.125)] * 3)

    def test_the_average_is_what_is_returned_and_the_training_goes_on_without_it(self):
        settings = recipe(steps=6, momentum=0.8)
        images, labels = random_batches(6)
        average = KERNEL
        for step in range(1, 7):
            decay = min(0.2, step / (9 + step))
            average = decay * average + (1 - decay) * by_hand(images, labels, settings, steps=step)[1]
        model, history = fit.fit(
            softmax_regression, batches(images, labels), settings.model_copy(update={"ema": 0.2}), STRATEGY
        )
        self.assertAllClose(model.get_layer("head").kernel, average, rtol=1e-4, atol=1e-5)
        self.assertNotAllClose(model.get_layer("head").kernel, by_hand(images, labels, settings)[1], rtol=1e-3)
        self.assertAllClose(mean_loss(history), np.mean(by_hand(images, labels, settings)[0]), rtol=1e-5)

    def test_the_average_takes_the_statistics_of_normalisation_too(self):
        images, labels = random_batches(12, size=16, batch_size=8)
        settings = recipe(steps=12, batch_size=8, learning_rate=1e-6)
        moving = []
        for ema in (None, 0.9):
            keras.utils.set_random_seed(3)
            changed = settings.model_copy(update={"ema": ema})
            model, _ = fit.fit(compact_cnn, batches(images, labels), changed, STRATEGY)
            moving.append(model.get_layer("backbone").get_layer("norm_3").moving_variance.numpy())
        # They come from 1, with a momentum of 0.9; an average lags behind, and is not what they started from.
        self.assertAllGreater(np.abs(moving[0] - 1) / np.abs(moving[1] - 1), 1.05)
        self.assertAllGreater(np.abs(moving[1] - 1), 0.3)

    def test_a_frozen_backbone_is_as_in_inference_and_then_trained(self):
        images, labels = random_batches(6, size=16, batch_size=8)
        settings = recipe(steps=6, batch_size=8, momentum=0.9, l2=0.01)
        keras.utils.set_random_seed(3)
        start = compact_cnn()

        def trained(frozen_steps: int) -> keras.Model:
            def make_model() -> keras.Model:
                model = compact_cnn()
                model.set_weights(start.get_weights())
                return model

            return fit.fit(make_model, batches(images, labels), settings, STRATEGY, frozen_steps=frozen_steps)[0]

        frozen, half, free = (trained(steps) for steps in (60, 3, 0))
        backbones = [model.get_layer("backbone") for model in (start, frozen, half, free)]
        for before, after in zip(backbones[0].variables, backbones[1].variables, strict=True):
            self.assertAllEqual(before, after)
        self.assertNotAllClose(start.get_layer("head").kernel, frozen.get_layer("head").kernel)
        for layer in ("conv_0", "norm_5"):
            for before, after in zip(
                backbones[0].get_layer(layer).variables, backbones[2].get_layer(layer).variables, strict=True
            ):
                self.assertNotAllClose(before, after)
        self.assertNotAllClose(half.get_layer("head").kernel, free.get_layer("head").kernel)
        self.assertTrue(all(backbone.trainable for backbone in backbones[1:]))

    def test_xla_gives_the_same(self):
        images, labels = random_batches(5, size=16, batch_size=8)
        settings = recipe(steps=5, batch_size=8, momentum=0.9, l2=1e-3, label_smoothing=0.1)
        weights = []
        for xla in (False, True):
            keras.utils.set_random_seed(3)
            compute = Compute(xla=xla)
            model, _ = fit.fit(compact_cnn, batches(images, labels), settings, STRATEGY, compute=compute)
            weights.append([variable.numpy() for variable in model.variables])
        for plain, compiled in zip(*weights, strict=True):
            self.assertAllClose(plain, compiled, rtol=1e-3, atol=1e-5)

    def test_half_precision_learns_the_same_and_leaves_a_float32_model(self):
        images, labels = random_batches(8, size=16, batch_size=16)
        settings = recipe(steps=8, batch_size=16, momentum=0.9, clip_norm=5.0, learning_rate=0.05)
        weights = {}
        for precision in ("float32", "bfloat16", "float16"):
            keras.utils.set_random_seed(3)
            model, history = fit.fit(
                compact_cnn, batches(images, labels), settings, STRATEGY, compute=Compute(precision=precision)
            )
            self.assertEqual({layer.compute_dtype for layer in model.get_layer("backbone").layers}, {"float32"})
            self.assertEqual({v.dtype for v in model.trainable_variables}, {"float32"})
            weights[precision] = model.get_layer("head").kernel.numpy(), mean_loss(history)
        head = weights["float32"][0]
        for precision, tolerance in (("bfloat16", 0.1), ("float16", 0.02)):
            kernel, loss = weights[precision]
            self.assertLess(np.linalg.norm(kernel - head), tolerance * np.linalg.norm(head))
            self.assertGreater(np.abs(kernel - head).max(), 1e-6)  # it did compute in another precision
            self.assertAllClose(loss, weights["float32"][1], rtol=0.05)

    def test_a_step_whose_gradient_overflows_float16_is_left_out(self):
        images, labels = random_batches(4)

        def bright() -> keras.Model:
            # Features up to 1000, logits as ever; with the scale of 2^15 the gradient is beyond 2^16 at first.
            pixels = keras.Input((2, 2, 1))
            scaled = keras.layers.Rescaling(4.0)(keras.layers.Flatten()(pixels))
            features = keras.layers.Dense(4, name="dense")(scaled)
            model = classifier.build(keras.Model(pixels, features, name="backbone"), CLASSES)
            model.get_layer("backbone").get_layer("dense").set_weights([np.eye(4) / 400, np.zeros(4)])
            model.get_layer("head").set_weights([KERNEL, BIAS])
            return model

        kernels = []
        for steps in (1, 20):
            model, _ = fit.fit(
                bright,
                batches(images, labels),
                recipe(steps=steps, learning_rate=1e-4),
                STRATEGY,
                compute=Compute(precision="float16"),
            )
            kernels.append(model.get_layer("backbone").get_layer("dense").kernel.numpy())
        self.assertAllEqual(kernels[0], (np.eye(4) / 400).astype(np.float32))
        self.assertNotAllClose(kernels[1], np.eye(4) / 400, rtol=1e-6, atol=1e-8)
        self.assertAllInRange(kernels[1], -1, 1)

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
        model, _ = fit.fit(following, batches(images, labels), recipe(steps=8), STRATEGY)
        recorder = model.get_layer("backbone").get_layer("recorder")
        self.assertAllClose(recorder.progress, 7 / 8)
        self.assertAllClose(recorder.total, sum(range(8)) / 8)

    def test_in_the_ramp_the_first_step_changes_nothing(self):
        images, labels = random_batches(2)
        one = recipe(steps=2, warmup=0.5)
        model, _ = fit.fit(softmax_regression, batches(images, labels), one, STRATEGY)
        # The second step has the peak, and starts from the weights that the first one left alone.
        _, kernel, _ = by_hand(images[1:], labels[1:], recipe(steps=1))
        self.assertAllClose(model.get_layer("head").kernel, kernel, rtol=1e-4, atol=1e-5)

    def test_a_warmup_that_rounds_up_to_all_steps_leaves_one(self):
        images, labels = random_batches(2)
        _, history = fit.fit(softmax_regression, batches(images, labels), recipe(steps=2, warmup=0.99), STRATEGY)
        self.assertEqual(history[-1].step, 2)

    def test_history_counts_up_to_the_last_step_and_is_what_the_listener_heard(self):
        images, labels = random_batches(23)
        heard = []
        with progress.listen(heard.append):
            _, history = fit.fit(softmax_regression, batches(images, labels), recipe(steps=23), STRATEGY)
        self.assertEqual(heard, history)
        steps = [entry.step for entry in history]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertEqual(steps[-1], 23)
        self.assertEqual({entry.steps for entry in history}, {23})
        self.assertAllGreater([entry.images_per_second for entry in history], 0)

    def test_a_loss_or_gradient_that_is_not_finite_stops_the_training(self):
        images, labels = random_batches(4)
        # 1e30² is beyond float32, which the norm of the decay's gradient is the first to see.
        for weight, found in ((np.nan, "the loss became nan"), (1e30, "the gradient became inf")):
            with self.subTest(found):

                def broken(weight=weight) -> keras.Model:
                    model = softmax_regression()
                    model.get_layer("head").set_weights([np.full_like(KERNEL, weight), BIAS])
                    return model

                # The ramp starts from 0.
                message = f"{found} at step 1, at a learning rate of 0; lower learning_rate"
                heard = []
                with pytest.raises(FloatingPointError, match=message), progress.listen(heard.append):
                    fit.fit(broken, batches(images, labels), recipe(steps=4, warmup=0.5, l2=0.1), STRATEGY)
                self.assertEmpty(heard)

    def test_a_gradient_that_is_not_finite_is_laid_to_its_own_batch(self):
        images, labels = random_batches(4)

        @tf.custom_gradient
        def steep(x):
            return x, lambda upstream: upstream * np.inf

        class Steep(keras.layers.Layer):
            def call(self, inputs):
                return steep(inputs)

        def broken() -> keras.Model:
            pixels = keras.Input((2, 2, 1))
            dense = keras.layers.Dense(4)(keras.layers.Flatten()(pixels / 100))
            return classifier.build(keras.Model(pixels, Steep()(dense), name="backbone"), CLASSES)

        asked = []
        with pytest.raises(FloatingPointError, match=r"the gradient became (inf|nan) at step 1, .* examples a, b"):
            fit.fit(
                broken,
                batches(images, labels),
                recipe(steps=4),
                STRATEGY,
                example_ids=lambda step: asked.append(step) or ["a", "b"],
            )
        self.assertEqual(asked, [0])

    def test_nothing_of_a_training_stays_in_the_process(self):
        images, labels = random_batches(2)

        def count_graphs() -> int:
            fit.fit(softmax_regression, batches(images, labels), recipe(), STRATEGY)
            gc.collect()
            return sum(isinstance(found, tf.Graph) for found in gc.get_objects())

        self.assertEqual(count_graphs(), count_graphs())

    def test_a_learning_rate_that_is_too_high_is_found_out(self):
        images, labels = random_batches(20)
        with pytest.raises(FloatingPointError, match=r"at step \d+, at a learning rate of \d\.\d+e\+3\d; lower"):
            fit.fit(softmax_regression, batches(images, labels), recipe(steps=20, learning_rate=1e38), STRATEGY)

    def test_a_network_learns_what_can_be_told_apart(self):
        images, labels = self.bars(64)
        settings = recipe(steps=40, batch_size=64, learning_rate=0.1, momentum=0.9, warmup=0.1)
        keras.utils.set_random_seed(1)
        model, history = fit.fit(compact_cnn, batches(images[None], labels[None]), settings, STRATEGY)
        self.assertLess(history[-1].loss, 0.1)
        self.assertGreater(history[0].loss, 0.7)
        for layer in model.get_layer("backbone").layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                self.assertGreater(np.abs(layer.moving_mean).max(), 0.01)
        images, labels = self.bars(50, seed=2)
        unseen = tf.data.Dataset.from_tensor_slices((images, labels[:, None], np.ones((50, 1))))
        result = evaluation.evaluate(evaluation.make_predict(model), unseen.batch(20))
        self.assertEqual((result.examples, result.accuracy), (50, 1.0))

    def test_the_same_seed_gives_the_same_weights(self):
        images, labels = random_batches(4, size=16, batch_size=8)
        settings = recipe(steps=4, batch_size=8, momentum=0.9, l2=1e-4, clip_norm=5.0)

        def weights(seed: int) -> list[np.ndarray]:
            keras.utils.set_random_seed(seed)
            model, _ = fit.fit(lambda: compact_cnn(dropout=0.3, seed=seed), batches(images, labels), settings, STRATEGY)
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
        decayed = variables.kernels(model)
        self.assertEqual(
            [variable.path.split("/")[-2:] for variable in decayed],
            [*([f"conv_{i}", "kernel"] for i in range(6)), ["head", "kernel"]],
        )
        left = {variable.path.split("/")[-1] for variable in model.trainable_variables} - {"kernel"}
        self.assertEqual(left, {"beta", "bias"})
        self.assertLen(model.trainable_variables, 7 + 6 + 1)

    def test_the_published_networks_have_kernels_of_several_names(self):
        for name, options, image, names, left in (
            ("inception_v3", {"width": 0.1}, ImageConfig(size=75), {"kernel"}, {"beta", "bias"}),
            (
                "amoebanet_b",
                {"normal_cells": 3, "filters": 16, "auxiliary": True},
                ImageConfig(size=32),
                {"kernel", "depthwise_kernel", "pointwise_kernel"},
                {"gamma", "beta", "bias"},
            ),
        ):
            model = classifier.build(Backbone(name=name, options=options).build(image), CLASSES)
            decayed = variables.kernels(model)
            self.assertEqual({variable.path.split("/")[-1] for variable in decayed}, names)
            paths = {variable.path for variable in decayed}
            others = [variable for variable in model.trainable_variables if variable.path not in paths]
            self.assertEqual({variable.path.split("/")[-1] for variable in others}, left)
            self.assertAllGreater([len(variable.shape) for variable in decayed], 1)
            self.assertAllEqual({len(variable.shape) for variable in others}, {1})
