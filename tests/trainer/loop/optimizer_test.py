"""The optimisers against their papers' formulas, worked out in numpy."""

import os
import subprocess
import sys
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import optimizer
from trainer.recipes import Recipe

STEPS = 4
KERNEL = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]], np.float32)
BIAS = np.array([0.5, -0.25], np.float32)
GRADIENTS = [np.random.default_rng(step).normal(size=(3, 2)).astype(np.float32) for step in range(STEPS)]


def recipe(**changes) -> Recipe:
    settings = {"steps": 10, "batch_size": 4, "learning_rate": 0.1, "warmup": 0.0, "momentum": 0.8, **changes}
    return Recipe(**settings)


def rates() -> list[float]:
    return [0.1 * (1 + np.cos(np.pi * step / 10)) / 2 for step in range(STEPS)]


def train(settings: Recipe, run: Callable[[Callable], Callable] = lambda step: step) -> tuple[np.ndarray, np.ndarray]:
    """Returns a kernel and a bias after some steps. The bias has the gradients' first row."""
    kernel, bias = keras.Variable(KERNEL, name="kernel"), keras.Variable(BIAS, name="bias")
    made = optimizer.make_optimizer(settings, [kernel, bias], decayed=[kernel])
    step = run(lambda gradient: made.apply([gradient, gradient[0]], [kernel, bias]))
    for gradient in GRADIENTS:
        step(tf.constant(gradient))
    return kernel.numpy(), bias.numpy()


def sgdw(weights, gradients, decay, momentum=0.8, nesterov=False):
    velocity = np.zeros_like(weights)
    for gradient, rate in zip(gradients, rates(), strict=True):
        weights = weights - rate * decay * weights
        velocity = momentum * velocity - rate * gradient
        weights = weights + (momentum * velocity - rate * gradient if nesterov else velocity)
    return weights


def adaptive(weights, gradients, decay, beta_1, beta_2, epsilon, *, by_layer):
    mean = square = np.zeros_like(weights)
    for step, (gradient, rate) in enumerate(zip(gradients, rates(), strict=True), start=1):
        weights = weights - rate * decay * weights
        mean = beta_1 * mean + (1 - beta_1) * gradient
        square = beta_2 * square + (1 - beta_2) * gradient**2
        root = np.sqrt(1 - beta_2**step)
        # Adam adds epsilon to the root of the mean as it is (Kingma & Ba 2015, before section 2.1), LAMB to that of the
        # corrected one.
        divisor = np.sqrt(square) / root + (epsilon if by_layer else epsilon / root)
        update = mean / (1 - beta_1**step) / divisor
        ratio = np.linalg.norm(weights) / np.linalg.norm(update) if by_layer else 1.0
        weights = weights - rate * ratio * update
    return weights


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgdw(decay, nesterov):
    kernel, bias = train(recipe(optimizer="sgdw", weight_decay=decay, nesterov=nesterov))
    np.testing.assert_allclose(kernel, sgdw(KERNEL, GRADIENTS, decay, nesterov=nesterov), rtol=1e-5)
    rows = [gradient[0] for gradient in GRADIENTS]
    np.testing.assert_allclose(bias, sgdw(BIAS, rows, 0.0, nesterov=nesterov), rtol=1e-5)


def test_sgd_is_sgdw_without_decay():
    for ours, other in zip(train(recipe()), train(recipe(optimizer="sgdw")), strict=True):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_adaptive_ones(name, decay):
    kernel, bias = train(recipe(optimizer=name, weight_decay=decay, beta_1=0.7, beta_2=0.95, epsilon=1e-3))
    settings = {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3, "by_layer": name == "lamb"}
    np.testing.assert_allclose(kernel, adaptive(KERNEL, GRADIENTS, decay, **settings), rtol=1e-4)
    rows = [gradient[0] for gradient in GRADIENTS]
    np.testing.assert_allclose(bias, adaptive(BIAS, rows, 0.0, **settings), rtol=1e-4)


OPTIMIZERS = ("sgd", "sgdw", "adamw", "lamb")


@pytest.mark.parametrize("loss_scaling", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_variable_moves_by_its_multiple(name, momentum, loss_scaling):
    # With a decay LAMB's steps would not be in proportion: they depend on the norm, which the decay changes before.
    settings = recipe(optimizer=name, momentum=momentum, weight_decay=0.3 if name in ("sgdw", "adamw") else 0.0)
    gradient = tf.constant(GRADIENTS[0])
    moved = {}
    for multiples in (None, (0.25, 0.5, 1.0)):
        trained = [keras.Variable(KERNEL, name=f"{part}_kernel") for part in ("first", "second", "head")]
        made = optimizer.make_optimizer(
            settings, trained, decayed=trained[:2], multiples=multiples, loss_scaling=loss_scaling
        )
        made.apply(optimizer.scale(made, [gradient, -gradient, 2 * gradient]), trained)
        moved[multiples] = [variable.numpy() - KERNEL for variable in trained]
    plain, scaled = moved.values()
    assert np.abs(plain).min() > 1e-3
    for one, other, multiple in zip(plain, scaled, (0.25, 0.5, 1.0), strict=True):
        np.testing.assert_allclose(other, multiple * one, rtol=1e-4)


def test_a_multiple_goes_with_its_variable_where_only_some_are_trained():
    trained = [keras.Variable(KERNEL, name=f"{part}_kernel") for part in ("first", "second", "head")]
    made = optimizer.make_optimizer(recipe(momentum=0.0), trained, multiples=(0.25, 0.5, 1.0))
    made.apply([tf.ones((3, 2)), tf.ones((3, 2))], trained[:0:-1])  # the head and the second
    moved = [float((KERNEL - variable.numpy()).mean()) for variable in trained]
    np.testing.assert_allclose(moved, [0.0, 0.05, 0.1], rtol=1e-5)


def test_two_replicas_do_not_sum_again(tmp_path):
    path = tmp_path / "weights.npz"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, __file__, str(path)], env=environment, check=True)
    with np.load(path) as weights:
        for name in OPTIMIZERS:
            for part, alone in zip(("kernel", "bias"), train(of_name(name)), strict=True):
                np.testing.assert_allclose(weights[f"{name}-{part}"], alone, rtol=1e-5)


def of_name(name: str) -> Recipe:
    return recipe(optimizer=name, weight_decay=0.0 if name == "sgd" else 0.3)


def train_on_two_devices(path: str) -> None:
    """Writes the weights of each optimiser, given gradients that are summed over the replicas."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    weights = {}
    for name in OPTIMIZERS:
        with strategy.scope():
            kernel, bias = train(
                of_name(name), run=lambda step: tf.function(lambda *values: strategy.run(step, values))
            )
        weights |= {f"{name}-kernel": kernel, f"{name}-bias": bias}
    np.savez(path, **weights)


if __name__ == "__main__":
    train_on_two_devices(sys.argv[1])
