"""The speed of the training loop, compared with a bare `keras.Model.fit` on the same tensors in memory.

  python -m benchmarks.trainer

Both train the same network on the same batches with the same optimiser, in one process, in turns because the machine
may have other work too. Timing starts after a function is traced. Medians are printed. A negative overhead means that
`fit.fit` is faster. The third row of a network is `fit.fit` with a whole recipe: weight decay, clipping, smoothing and
an average of the weights. The rows of `fit.fit` also show the share of the time spent waiting for input.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from benchmarks.turns import in_turns
from trainer.loop import fit
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe

_NETWORKS = {
    "compact_cnn": (ImageConfig(size=32, channels=1), 770, 128, 120),
    "inception_v3": (ImageConfig(size=75, channels=3), 1000, 32, 8),
}
_EXTRAS = {"l2": 4e-5, "clip_norm": 5.0, "label_smoothing": 0.1, "ema": 0.999}
_LEARNING_RATE = 0.01


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=_NETWORKS, default=list(_NETWORKS))
    parser.add_argument("--batch-size", type=int, help="default: each network's own")
    parser.add_argument("--steps", type=int, help="number of timed steps; default: each network's own")
    parser.add_argument("--repeats", type=int, default=5, help="number of turns; the median is printed")
    args = parser.parse_args(arguments)
    print(f"{'':32}{'ms a step':>12}{'images/s':>12}{'overhead':>12}{'input wait':>12}")
    for name in args.networks:
        image, classes, batch_size, steps = _NETWORKS[name]
        batch_size, steps = args.batch_size or batch_size, args.steps or steps
        images, labels = _make_tensors(image, classes, batch_size)

        def make_model(name=name, image=image, classes=classes) -> keras.Model:
            return classifier.build(Backbone(name=name).build(image), classes)

        tasks = {
            "keras.Model.fit": _train_with_keras,
            "fit.fit": _train,
            "fit.fit, whole recipe": functools.partial(_train, **_EXTRAS),
        }
        times = in_turns(
            {task: functools.partial(run, make_model, images, labels, steps) for task, run in tasks.items()},
            args.repeats,
            warm_up=False,
        )
        reference = statistics.median(seconds for seconds, _ in times["keras.Model.fit"])
        for task, found in times.items():
            seconds, wait = (statistics.median(column) for column in zip(*found, strict=True))
            print(
                f"{f'{name}, {task}':32.32}{1000 * seconds:12.1f}{batch_size / seconds:12.0f}"
                f"{seconds / reference - 1:12.1%}{wait:12.1%}"
            )


def _make_tensors(image: ImageConfig, classes: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    shape = (8 * batch_size, image.size, image.size, image.channels)
    return random.integers(0, 256, shape, np.uint8), random.integers(0, classes, (8 * batch_size, 1))


def _train_with_keras(
    make_model: Callable[[], keras.Model], images: np.ndarray, labels: np.ndarray, steps: int
) -> tuple[float, float]:
    """Returns the seconds per step of the second epoch, and NaN: Keras does not report its wait for input."""
    model = make_model()
    bare = keras.Model(model.input, model.output["logits"])
    bare.compile(
        keras.optimizers.SGD(_LEARNING_RATE, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    batches = tf.data.Dataset.from_tensor_slices((images, labels)).repeat().batch(len(images) // 8).prefetch(2)
    clock = _Clock()
    bare.fit(batches, steps_per_epoch=steps, epochs=2, verbose=0, callbacks=[clock])
    return clock.seconds / steps, float("nan")


class _Clock(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs=None) -> None:
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        self.seconds = time.perf_counter() - self._start


def _train(
    make_model: Callable[[], keras.Model], images: np.ndarray, labels: np.ndarray, steps: int, **extras
) -> tuple[float, float]:
    """Returns the seconds per step of the second half, and the share of them spent waiting for input."""
    batch_size = len(images) // 8
    rows = (images, labels, np.ones(labels.shape, np.float32), np.ones(len(labels), np.float32))
    recipe = Recipe(
        steps=2 * steps, batch_size=batch_size, learning_rate=_LEARNING_RATE, momentum=0.9, nesterov=True, **extras
    )

    def batches(step: int, context: tf.distribute.InputContext) -> tf.data.Dataset:
        del step, context  # one device, from the start
        return tf.data.Dataset.from_tensor_slices(rows).repeat().batch(batch_size).prefetch(2)

    _, history = fit.fit(make_model, batches, recipe, tf.distribute.get_strategy())
    done, seconds, waited = 0, 0.0, 0.0
    for before, entry in zip([None, *history], history, strict=False):
        count = entry.step - (before.step if before else 0)
        if before and before.step >= steps:
            done += count
            seconds += count * batch_size / entry.images_per_second
            waited += count * batch_size / entry.images_per_second * entry.input_wait
    return seconds / done, waited / seconds


if __name__ == "__main__":
    main()
