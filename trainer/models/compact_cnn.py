"""A convolutional network for small images, with 144,000 parameters. It trains in seconds on a CPU."""

import keras

from trainer.models.backbone import ImageConfig

_FILTERS = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2))


def build(image: ImageConfig) -> keras.Model:
    """Returns the backbone: six 3×3 convolutions with batch normalisation, then the global average, [batch, 128].

    Preprocessing: 0..255 to -1..1. Feature layer: the global average. Minimum size 16 pixels; designed for 32.
    """
    images = keras.Input((image.size, image.size, image.channels), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(images)
    for i, (filters, stride) in enumerate(_FILTERS):
        x = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False, name=f"conv_{i}")(x)
        x = keras.layers.BatchNormalization(momentum=0.9, scale=False, name=f"norm_{i}")(x)
        x = keras.layers.ReLU(name=f"relu_{i}")(x)
    features = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(images, features, name="backbone")
