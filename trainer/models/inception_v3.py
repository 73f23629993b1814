"""Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567), as keras.applications builds it."""

import keras

from trainer.models.backbone import ImageConfig


def build(image: ImageConfig, *, width: float = 1.0) -> keras.Model:
    """Returns the backbone, [batch, 2048]; 21.8 million parameters. The published size is 299 pixels.

    Preprocessing: 0..255 to -1..1. Feature layer: the global average. Minimum size 75 pixels, by keras.applications.

    Args:
      image: the input images.
      width: factor of the number of filters of every convolution, and so of the number of features.
    """
    shape = (image.size, image.size, image.channels)
    images = keras.Input(shape, name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(images)
    network = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=shape, pooling="avg")
    if width != 1.0:
        network = keras.models.clone_model(network, clone_function=lambda layer: _scale_filters(layer, width))
    return keras.Model(images, network(x), name="backbone")


def _scale_filters(layer: keras.layers.Layer, width: float) -> keras.layers.Layer:
    config = layer.get_config()
    if isinstance(layer, keras.layers.Conv2D):
        config["filters"] = max(1, round(width * config["filters"]))
    return type(layer).from_config(config)
