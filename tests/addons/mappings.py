"""What takes the place of tensorflow-addons: the tables of docs/addons.md, as functions."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import inputs
import keras
import numpy as np
import tensorflow as tf
from keras import ops

from components.evaluator import confusion
from trainer.loop import losses, optimizer
from trainer.loop.average import Average
from trainer.recipes import Recipe


@dataclasses.dataclass(frozen=True)
class Replacement:
    """What computes the same as something of addons.

    Attributes:
      compute: returns the values that stand in golden.npz under the same name.
      arguments: of it.
      wrong: argument → a value with which it must not compute the same.
    """

    compute: Callable[..., Any]
    arguments: Mapping[str, Any]
    wrong: Mapping[str, Any]


def train(**changes: Any) -> np.ndarray:
    """Returns the kernel after some steps with the optimiser of a recipe."""
    recipe = _recipe(**changes)
    kernel = keras.Variable(inputs.KERNEL, name="kernel")
    made = optimizer.make_optimizer(recipe, [kernel], decayed=[kernel])
    for gradient in inputs.GRADIENTS:
        made.apply([tf.constant(gradient)], [kernel])
    return kernel.numpy()


def average(decay: float) -> np.ndarray:
    """Returns the average of the kernel, trained by plain SGD."""
    recipe = _recipe(optimizer="sgd", momentum=0.0)
    kernel = keras.Variable(inputs.KERNEL, name="kernel")
    made = optimizer.make_optimizer(recipe, [kernel])
    followed = Average([kernel.value], decay)
    for step, gradient in enumerate(inputs.GRADIENTS):
        made.apply([tf.constant(gradient)], [kernel])
        followed.update(tf.constant(step))
    return followed.variables[0].numpy()


def _recipe(**changes: Any) -> Recipe:
    settings = {"steps": inputs.STEPS, "batch_size": 1, "learning_rate": inputs.PEAK, "warmup": 0.0, **changes}
    return Recipe(**settings)


def measure(metric: Callable[[confusion.Matrix], float]) -> float:
    matrix: dict[tuple[int, int], float] = {}
    for pair in zip(inputs.LABELS, inputs.PREDICTED, strict=True):
        matrix[pair] = matrix.get(pair, 0.0) + 1
    return metric(matrix)


def f1(average: str) -> np.ndarray:
    metric = keras.metrics.F1Score(average=average)
    metric.update_state(inputs.one_hot(inputs.LABELS), inputs.one_hot(inputs.PREDICTED))
    return np.asarray(metric.result())


def focal(gamma: float, alpha: float) -> np.ndarray:
    presence = tf.ones([len(inputs.LABELS), 1])
    logits = tf.constant(inputs.LOGITS)
    return losses.focal(tf.constant(inputs.LABELS[:, None]), presence, logits, gamma=gamma, alpha=alpha).numpy()


def rotate(angle: float, interpolation: str) -> np.ndarray:
    height, width = inputs.IMAGES.shape[1:3]
    cos, sin = np.cos(angle), np.sin(angle)
    x = ((width - 1) - (cos * (width - 1) - sin * (height - 1))) / 2
    y = ((height - 1) - (sin * (width - 1) + cos * (height - 1))) / 2
    return transform([cos, -sin, x, sin, cos, y, 0, 0], interpolation)


def translate(x: float, y: float) -> np.ndarray:
    return transform([1, 0, -x, 0, 1, -y, 0, 0], "bilinear")


def shear(level: float) -> np.ndarray:
    return transform([1, level, 0, 0, 1, 0, 0, 0], "nearest")


def transform(matrix: list[float], interpolation: str) -> np.ndarray:
    matrices = ops.convert_to_tensor([matrix] * len(inputs.IMAGES), "float32")
    return np.asarray(ops.image.affine_transform(inputs.IMAGES, matrices, interpolation, "constant"))


def cut_out(size: tuple[int, int], centre: tuple[int, int], value: float) -> np.ndarray:
    masks = np.zeros((len(inputs.IMAGES), *inputs.IMAGES.shape[1:3], 1), bool)
    rows, columns = (slice(c - s // 2, c - s // 2 + s) for c, s in zip(centre, size, strict=True))
    masks[:, rows, columns] = True
    box = {"batch_masks": masks, "apply_erasing": np.ones(len(masks), bool), "fill_value": value}
    return np.asarray(keras.layers.RandomErasing().transform_images(inputs.IMAGES, box))


def normalise(groups: int, epsilon: float) -> np.ndarray:
    return np.asarray(keras.layers.GroupNormalization(groups, epsilon=epsilon)(inputs.FEATURES))


def activate(function: Callable[..., Any], scale: float = 1.0, **arguments: Any) -> np.ndarray:
    return np.asarray(function(ops.convert_to_tensor(scale * inputs.VALUES), **arguments))


def sparsemax(logits: Any) -> Any:
    """Returns the nearest point of the simplex to each row (Martins & Astudillo 2016). Keras' own returns others."""
    decreasing = -ops.sort(-logits, axis=-1)
    ranks = ops.arange(1, logits.shape[-1] + 1, dtype=logits.dtype)
    thresholds = (ops.cumsum(decreasing, axis=-1) - 1) / ranks
    # Those of the ranks whose logits stay positive fall, and the others rise.
    return ops.relu(logits - ops.max(thresholds, axis=-1, keepdims=True))


_ADAM = {**inputs.OPTIMIZER, "weight_decay": 0.0}
_DECAY = inputs.WEIGHT_DECAY / inputs.PEAK  # Keras multiplies by the learning rate, addons does not

EQUAL = {
    "moving_average": Replacement(average, {"decay": 0.25}, {"decay": 0.2}),
    "lazy_adam": Replacement(train, {"optimizer": "adamw", **_ADAM}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-7}),
    "f1_micro": Replacement(f1, {"average": "micro"}, {"average": "macro"}),
    "f1_macro": Replacement(f1, {"average": "macro"}, {"average": "weighted"}),
    "focal": Replacement(focal, {"gamma": 1.5, "alpha": 0.3}, {"gamma": 2.0, "alpha": 0.7}),
    "rotate_nearest": Replacement(
        rotate,
        {"angle": inputs.ANGLE, "interpolation": "nearest"},
        {"angle": -inputs.ANGLE, "interpolation": "bilinear"},
    ),
    "rotate_bilinear": Replacement(rotate, {"angle": inputs.ANGLE, "interpolation": "bilinear"}, {"angle": 0.41}),
    "translate": Replacement(translate, dict(zip("xy", inputs.SHIFT, strict=True)), {"x": -2.0, "y": 1.0}),
    "shear": Replacement(shear, {"level": inputs.SHEAR}, {"level": -inputs.SHEAR}),
    "cutout": Replacement(
        cut_out,
        {"size": inputs.CUT_SIZE, "centre": inputs.CUT_CENTRE, "value": 9.0},
        {"size": (2, 4), "centre": (3, 5), "value": 0.0},
    ),
    "group_normalization": Replacement(normalise, {"groups": 4, "epsilon": 1e-3}, {"groups": 2, "epsilon": 1e-2}),
    "gelu": Replacement(activate, {"function": keras.activations.gelu, "approximate": False}, {"approximate": True}),
    "gelu_approximate": Replacement(
        activate, {"function": keras.activations.gelu, "approximate": True}, {"approximate": False}
    ),
    "mish": Replacement(activate, {"function": keras.activations.mish}, {"function": keras.activations.silu}),
    "hardshrink": Replacement(
        activate, {"function": keras.activations.hard_shrink, "threshold": 0.7}, {"threshold": 0.5}
    ),
    "softshrink": Replacement(
        activate, {"function": keras.activations.soft_shrink, "threshold": 0.7}, {"threshold": 0.5}
    ),
    "tanhshrink": Replacement(activate, {"function": keras.activations.tanh_shrink}, {"scale": 0.9}),
    "lisht": Replacement(activate, {"function": lambda x: x * ops.tanh(x)}, {"scale": 0.9}),
}
UNDER_A_CONDITION = {
    "lamb": Replacement(train, {"optimizer": "lamb", **_ADAM}, {"weight_decay": 0.03, "beta_1": 0.8}),
    "sgdw": Replacement(
        train,
        {"optimizer": "sgdw", "momentum": 0.8, "weight_decay": _DECAY},
        {"weight_decay": inputs.WEIGHT_DECAY, "momentum": 0.9},
    ),
    "sgdw_nesterov": Replacement(
        train,
        {"optimizer": "sgdw", "momentum": 0.8, "nesterov": True, "weight_decay": _DECAY},
        {"weight_decay": inputs.WEIGHT_DECAY, "nesterov": False},
    ),
    "adamw": Replacement(
        train,
        {"optimizer": "adamw", **_ADAM, "weight_decay": _DECAY},
        {"weight_decay": inputs.WEIGHT_DECAY, "epsilon": 1e-7},
    ),
}
OURS = {
    "sparsemax": Replacement(activate, {"function": sparsemax}, {"function": keras.activations.sparsemax}),
    "cohen_kappa": Replacement(measure, {"metric": confusion.cohen_kappa}, {"metric": confusion.matthews}),
    "matthews": Replacement(measure, {"metric": confusion.matthews}, {"metric": confusion.cohen_kappa}),
}
ALL = {**EQUAL, **UNDER_A_CONDITION, **OURS}
