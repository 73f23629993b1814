"""The networks of keras.applications, one line each in `trainer.models.registry`."""

import keras

from trainer.models.backbone import ImageConfig
from trainer.models.registry import Application

# Of ImageNet's images with values 0..1, as keras.applications has them.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)
_MEAN_BGR = (103.939, 116.779, 123.68)  # with values 0..255


def build(image: ImageConfig, application: Application) -> keras.Model:
    """Returns the backbone, [batch, width]: the network's own preprocessing, the network, and the global average.

    Args:
      image: the input images, 0..255. Grey ones are repeated to three channels.
      application: the network.
    """
    return around(make_network(image, application), image, application.preprocessing)


def around(network: keras.Model, image: ImageConfig, preprocessing: str) -> keras.Model:
    """Returns the backbone of a network for three channels: it takes images 0..255, grey or not."""
    images = keras.Input((image.size, image.size, image.channels), name="images")
    return keras.Model(images, network(preprocess(to_rgb(images), preprocessing)), name="backbone")


def make_network(image: ImageConfig, application: Application, classes: int | None = None) -> keras.Model:
    """Returns the randomly initialised network of keras.applications, without its `preprocess_input`.

    Args:
      image: the input images.
      application: the network.
      classes: also makes the head of the published classifier, over so many classes; the output is logits.
    """
    top = {"pooling": "avg"} if classes is None else {"classes": classes, "classifier_activation": None}
    network = getattr(keras.applications, application.constructor)(
        include_top=classes is not None, weights=None, input_shape=(image.size, image.size, 3), **top
    )
    if any(map(_is_unset, network.layers)):
        network = keras.models.clone_model(network, clone_function=_clone)
    return network


def to_rgb(images: keras.KerasTensor) -> keras.KerasTensor:
    """Repeats grey images to three channels."""
    if images.shape[-1] == 3:
        return images
    return keras.layers.Concatenate(name="to_rgb")([images] * 3)


def preprocess(x: keras.KerasTensor, kind: str) -> keras.KerasTensor:
    """Returns what `preprocess_input` makes of images 0..255; `trainer.models.registry` lists the kinds."""
    if kind == "tf":
        return keras.layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(x)
    if kind == "torch":
        scale = [1 / (255 * deviation) for deviation in STANDARD_DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(MEAN, STANDARD_DEVIATION, strict=True)]
        return keras.layers.Rescaling(scale, offset, name="normalize")(x)
    if kind == "caffe":
        x = keras.ops.flip(x, axis=-1)
        return keras.layers.Rescaling(1.0, [-mean for mean in _MEAN_BGR], name="subtract_mean")(x)
    return x


def _is_unset(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.Normalization) and layer.input_mean is None


def _clone(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Sets the normalisation of EfficientNet's images, which keras.applications only has in published weights.

    Those have the standard deviation for its square, and a layer of `weights='imagenet'` corrects that.
    """
    config = layer.get_config()
    if _is_unset(layer):
        config |= {"mean": list(MEAN), "variance": [deviation**2 for deviation in STANDARD_DEVIATION]}
    return type(layer).from_config(config)
