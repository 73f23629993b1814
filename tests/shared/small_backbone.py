"""A backbone that a configuration names as a function."""

import keras


def build(image, *, width: int = 8) -> keras.Model:
    """Returns a network of one convolution."""
    images = keras.Input((image.size, image.size, image.channels))
    x = keras.layers.Conv2D(width, 3, strides=4)(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x)))
