"""Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567), as keras.applications builds it."""

import keras

from trainer.models import applications
from trainer.models.backbone import ImageConfig
from trainer.models.registry import Application


def build(image: ImageConfig, application: Application, *, width: float = 1.0) -> keras.Model:
    """Returns the backbone, [batch, 2048]; 21.8 million parameters. The published size is 299 pixels.

    Preprocessing: 0..255 to -1..1. Feature layer: the global average. Minimum size 75 pixels, by keras.applications.

    Args:
      image: the input images. Grey ones are repeated to three channels.
      application: the network.
      width: factor of the number of filters of every convolution, and so of the number of features.
    """
    network = applications.make_network(image, application)
    if width != 1.0:
        network = keras.models.clone_model(network, clone_function=lambda layer: _scale_filters(layer, width))
    return applications.around(network, image, application.preprocessing)


def _scale_filters(layer: keras.layers.Layer, width: float) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, keras.layers.Conv2D):
        config["filters"] = max(1, round(width * config["filters"]))
    return type(layer).from_config(config)
