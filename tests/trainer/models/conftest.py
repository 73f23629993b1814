"""Images that a network can only memorise."""

import pathlib
from collections.abc import Callable

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.loop import evaluation, fit
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Recipe


@pytest.fixture
def accuracy_by_heart() -> Callable[[Backbone, int, Recipe], float]:
    def accuracy(backbone: Backbone, size: int, recipe: Recipe) -> float:
        """Trains on 64 images of noise, each with one of four labels drawn at random; returns the accuracy on them."""
        random = np.random.default_rng(2)
        images = random.integers(0, 256, (64, size, size, 3), np.uint8)
        labels = random.integers(0, 4, (64, 1))
        presence, weights = np.ones((64, 1), np.float32), np.ones(64, np.float32)
        keras.utils.set_random_seed(1)
        model, _ = fit.fit(
            lambda: classifier.build(backbone.build(ImageConfig(size=size)), 4, dropout=recipe.dropout),
            lambda step, context: tf.data.Dataset.from_tensors((images, labels, presence, weights)).repeat().skip(step),
            recipe,
            tf.distribute.get_strategy(),
        )
        return evaluation.evaluate(
            evaluation.make_predict(model), tf.data.Dataset.from_tensors((images, labels, presence))
        ).accuracy

    return accuracy


@pytest.fixture
def jitter() -> Callable[[keras.Model], None]:
    def jitter(model: keras.Model) -> None:
        """Changes every float weight a little, so that none is as it was initialised; variances stay positive."""
        random = np.random.default_rng(7)
        for variable in model.weights:
            if "float" in variable.dtype:
                values = variable.numpy()
                added = 0.02 if values.ndim == 1 else 0.0  # to many kernels, it would let activations grow without end
                variable.assign(
                    values * random.uniform(0.8, 1.2, values.shape) + random.uniform(0, added, values.shape)
                )

    return jitter


@pytest.fixture
def write_layers(tmp_path) -> Callable[[keras.Model, pathlib.Path], None]:
    def write(model: keras.Model, path: pathlib.Path) -> None:
        """Writes weights as the files of keras.applications have them: the layers at the top of the file."""
        whole = tmp_path / "whole.h5"
        model.save(whole)
        with h5py.File(whole) as file, h5py.File(path, "w") as layers:
            for name, values in file["model_weights"].attrs.items():
                layers.attrs[name] = values
            for name in file["model_weights"]:
                file.copy(f"model_weights/{name}", layers)

    return write
