"""Images that a network can only memorise."""

from collections.abc import Callable

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
