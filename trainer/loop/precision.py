"""What is set on a model for its training alone: the precision of its layers, and how its normalisation counts."""

from collections.abc import Iterator

import keras

from trainer.recipes import Compute

_POLICIES = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def prepare(model: keras.Model, compute: Compute) -> None:
    """Makes a newly built float32 model compute as `compute` says; its variables stay float32.

    Heads stay as they are: their logits, and with them the loss, are float32.
    """
    for layer in _layers(model):
        if compute.precision in _POLICIES and not layer.name.endswith("head"):
            layer.dtype_policy = keras.DTypePolicy(_POLICIES[compute.precision])
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = compute.synchronized_batch_norm


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer
