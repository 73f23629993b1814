"""Computes what tensorflow-addons computes, for `parity_test.py`. Runs in an environment that has it, and numpy.

python golden.py OUTPUT.npz              writes the values
python golden.py OUTPUT.npz golden.npz   and compares them with those that are checked in
"""

import pathlib
import sys
from collections.abc import Callable

import inputs
import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa

SGD = tf.keras.optimizers.legacy.SGD


def train(optimizer: tf.keras.optimizers.legacy.Optimizer, result: Callable | None = None) -> np.ndarray:
    """Returns the kernel after some steps, or `result(optimizer, kernel)`. A weight decay follows the learning rate."""
    kernel = tf.Variable(inputs.KERNEL)
    for rate, gradient in zip(inputs.RATES, inputs.GRADIENTS, strict=True):
        optimizer.learning_rate = rate
        if isinstance(optimizer, tfa.optimizers.DecoupledWeightDecayExtension):
            optimizer.weight_decay = inputs.WEIGHT_DECAY * rate / inputs.PEAK
        optimizer.apply_gradients([(tf.constant(gradient), kernel)])
    return (result(optimizer, kernel) if result else kernel).numpy()


def measure(metric: tf.keras.metrics.Metric, labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    metric.update_state(labels, predictions)
    return metric.result().numpy()


def normalise(groups: int) -> np.ndarray:
    return tfa.layers.GroupNormalization(groups=groups)(inputs.FEATURES).numpy()


def compute() -> dict[str, np.ndarray]:
    adam = {"learning_rate": inputs.PEAK, **inputs.OPTIMIZER}
    decay = {"weight_decay": inputs.WEIGHT_DECAY}
    average = tfa.optimizers.MovingAverage(SGD(inputs.PEAK), average_decay=0.25, dynamic_decay=True)
    labels, predicted = map(inputs.one_hot, (inputs.LABELS, inputs.PREDICTED))
    images = tf.constant(inputs.IMAGES)
    return {
        "moving_average": train(average, lambda optimizer, kernel: optimizer.get_slot(kernel, "average")),
        "lazy_adam": train(tfa.optimizers.LazyAdam(**adam)),
        "lamb": train(tfa.optimizers.LAMB(**adam)),
        "sgdw": train(tfa.optimizers.SGDW(**decay, learning_rate=inputs.PEAK, momentum=0.8)),
        "sgdw_nesterov": train(tfa.optimizers.SGDW(**decay, learning_rate=inputs.PEAK, momentum=0.8, nesterov=True)),
        "adamw": train(tfa.optimizers.AdamW(**decay, **adam)),
        "f1_micro": measure(tfa.metrics.F1Score(inputs.CLASSES, "micro"), labels, predicted),
        "f1_macro": measure(tfa.metrics.F1Score(inputs.CLASSES, "macro"), labels, predicted),
        "cohen_kappa": measure(tfa.metrics.CohenKappa(inputs.CLASSES), labels, predicted),
        "matthews": measure(tfa.metrics.MatthewsCorrelationCoefficient(inputs.CLASSES), labels, predicted),
        "focal": tfa.losses.sigmoid_focal_crossentropy(
            inputs.one_hot(inputs.LABELS), inputs.LOGITS, from_logits=True, alpha=0.3, gamma=1.5
        ).numpy(),
        "rotate_nearest": tfa.image.rotate(images, inputs.ANGLE).numpy(),
        "rotate_bilinear": tfa.image.rotate(images, inputs.ANGLE, "bilinear").numpy(),
        "translate": tfa.image.translate(images, inputs.SHIFT, "bilinear").numpy(),
        "shear": np.stack([tfa.image.shear_x(image, inputs.SHEAR, 0.0) for image in images]),
        "cutout": tfa.image.cutout(images, inputs.CUT_SIZE, inputs.CUT_CENTRE, 9).numpy(),
        "group_normalization": normalise(4),
        "gelu": tfa.activations.gelu(inputs.VALUES, approximate=False).numpy(),
        "gelu_approximate": tfa.activations.gelu(inputs.VALUES, approximate=True).numpy(),
        "mish": tfa.activations.mish(inputs.VALUES).numpy(),
        "hardshrink": tfa.activations.hardshrink(inputs.VALUES, -0.7, 0.7).numpy(),
        "softshrink": tfa.activations.softshrink(inputs.VALUES, -0.7, 0.7).numpy(),
        "tanhshrink": tfa.activations.tanhshrink(inputs.VALUES).numpy(),
        "sparsemax": tfa.activations.sparsemax(inputs.VALUES).numpy(),
        "lisht": tfa.activations.lisht(inputs.VALUES).numpy(),
    }


def main(output: str, checked_in: str | None = None) -> None:
    values = compute()
    pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    np.savez(output, **values)
    print(f"tensorflow-addons {tfa.__version__}, TensorFlow {tf.__version__}: {len(values)} values")
    if checked_in:
        with np.load(checked_in) as golden:
            if set(golden.files) != set(values):
                sys.exit(f"{checked_in} has other values: {sorted(set(golden.files) ^ set(values))}")
            for name, value in values.items():
                np.testing.assert_allclose(value, golden[name], rtol=1e-5, atol=1e-6, err_msg=name)
        print(f"as in {checked_in}")


if __name__ == "__main__":
    main(*sys.argv[1:])
