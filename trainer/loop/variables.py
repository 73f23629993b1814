"""Which variables of a model decay, which stay as they are, and at what rate they learn."""

from collections.abc import Iterator

import keras

from trainer.loop.layer_decay import count_blocks_to_head
from trainer.models import classifier


def layers_of(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model, and those inside of its layers, but no models."""
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, keras.Model):
            yield layer


def kernels(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables that weight decay applies to: the kernels, but not biases or normalisation."""
    return [variable for variable in model.trainable_variables if variable.path.rsplit("/", 1)[-1].endswith("kernel")]


def freeze_statistics(model: keras.Model) -> None:
    """Makes batch normalisation use its moving statistics in training, too, which stay as they are then.

    Its scales and offsets train. To Keras a layer that is not trainable is one to be run as in inference, and a
    variable trains by a flag of its own. To set `trainable` of a model that holds the layer undoes it.
    """
    for layer in _normalisations(model):
        trained = layer.trainable_variables
        layer.trainable = False
        for variable in trained:
            variable.trainable = True


def statistics(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables that batch normalisation counts in."""
    return [variable for layer in _normalisations(model) for variable in layer.variables if not variable.trainable]


def rate_multiples(model: keras.Model, decay: float) -> list[float]:
    """Returns what the learning rate of each trainable variable is multiplied by, in their order.

    It is `decay` to the power of the number of blocks between the variable and the heads (Clark et al. 2020, arXiv
    2003.10555, appendix A; Bao et al. 2022, arXiv 2106.08254); 1 for the heads.
    """
    if decay == 1:
        return [1.0] * len(model.trainable_variables)
    variables = classifier.backbone_of(model).trainable_variables
    counts = count_blocks_to_head([variable.path for variable in variables])
    multiples = {id(variable): decay**count for variable, count in zip(variables, counts, strict=True)}
    return [multiples.get(id(variable), 1.0) for variable in model.trainable_variables]


def _normalisations(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    return (layer for layer in layers_of(model) if isinstance(layer, keras.layers.BatchNormalization))
