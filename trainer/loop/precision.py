"""Settings of a model that hold for its training only: layer precision and the statistics of normalisation."""

import keras

from trainer.loop import variables
from trainer.recipes import Compute

_POLICIES = {"bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def prepare(model: keras.Model, compute: Compute) -> None:
    """Sets precision and normalisation of a newly built float32 model by `compute`. Its variables stay float32.

    Heads are not changed, so the logits and the loss are float32.
    """
    for layer in variables.layers_of(model):
        if compute.precision in _POLICIES and not layer.name.endswith("head"):
            layer.dtype_policy = keras.DTypePolicy(_POLICIES[compute.precision])
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = compute.synchronized_batch_norm
