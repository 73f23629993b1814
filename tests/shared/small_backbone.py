"""A backbone that a configuration names as a function, with a layer of its own."""

import keras


@keras.saving.register_keras_serializable("small_backbone")
class Scale(keras.layers.Layer):
    """Multiplies each channel by a weight."""

    def build(self, input_shape):
        self.factor = self.add_weight(name="factor", shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


def build(image, *, width: int = 8) -> keras.Model:
    """Returns a network of one convolution."""
    images = keras.Input((image.size, image.size, image.channels))
    x = keras.layers.Conv2D(width, 3, strides=4)(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.BatchNormalization(momentum=0.9)(x)
    return keras.Model(images, Scale()(keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))))
