"""The image networks of keras-hub, by a preset in a local folder. Needs the extra `hub`."""

import json
import os
from typing import Any

import keras

from trainer.models import applications
from trainer.models.backbone import ImageConfig

# Their first token is the class token; of other networks, `use_class_token` says whether there is one.
_CLASS_TOKEN = frozenset({"CLIPVisionEncoder", "DeiTBackbone", "DINOV2Backbone", "DINOV3Backbone"})


def build(image: ImageConfig, *, preset: str) -> keras.Model:
    """Returns the backbone, [batch, width], randomly initialised.

    Preprocessing: scale and offset of the preset's image converter; the images keep their size. Feature layer: what the
    preset's own classifier has below its head, if it has one; else the class token, or the global average. Of a network
    for images and texts, such as SigLIP, it is the image encoder.

    Args:
      image: the input images, 0..255. Grey ones are repeated to three channels.
      preset: folder that `save_to_preset` wrote.

    Raises:
      ValueError: the preset is of no image network, has no image converter, or its network takes no such images.
    """
    import keras_hub  # it registers its classes

    config = _read(preset, "config.json")
    config = config["config"].get("vision_encoder", config)
    settings = dict(config["config"])
    settings.pop("dtype", None)  # that of the training
    if "image_shape" in settings:
        settings["image_shape"] = [image.size, image.size, 3]
    try:
        network = keras.saving.deserialize_keras_object({**config, "config": settings})
    except ValueError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"image.size: {image.size} does not fit the preset {preset!r}: {reason}") from error
    converter = keras.saving.deserialize_keras_object(_read(preset, "image_converter.json"))
    if type(converter).call is not keras_hub.layers.ImageConverter.call:
        raise ValueError(
            f"backbone.options.preset: the images of {preset!r} need more than a scale and an offset "
            f"({type(converter).__name__}); build this network by a backbone.function"
        )

    if [len(tensor.shape) for tensor in network.inputs] != [4]:
        raise _no_image_network(preset, config["class_name"])
    images = keras.Input((image.size, image.size, image.channels), name="images")
    x = applications.to_rgb(images)
    if converter.scale is not None or converter.offset is not None:
        scale, offset = (1.0 if converter.scale is None else converter.scale), converter.offset or 0.0
        x = keras.layers.Rescaling(scale, offset, name="normalize")(x)
    outputs = network({"images": x} if isinstance(network.input, dict) else x)
    return keras.Model(images, _features(outputs, preset, config["class_name"], settings), name="backbone")


def _features(outputs: Any, preset: str, name: str, settings: dict[str, Any]) -> keras.KerasTensor:
    shape = getattr(outputs, "shape", ())
    if len(shape) == 2:
        return outputs
    if len(shape) not in (3, 4):
        raise _no_image_network(preset, name)
    has_token = len(shape) == 3 and settings.get("use_class_token", name in _CLASS_TOKEN)
    pooling = "token" if has_token else "avg"
    if os.path.exists(os.path.join(preset, "task.json")):
        pooling = _read(preset, "task.json")["config"].get("pooling", pooling)
    if pooling == "token":
        return outputs[:, 0]
    if pooling not in ("avg", "gap"):
        raise ValueError(
            f"backbone.options.preset: the classifier of {preset!r} pools by {pooling!r}, not by an average or a class "
            "token; build this network by a backbone.function"
        )
    return keras.ops.mean(outputs, axis=tuple(range(1, len(shape) - 1)))


def _no_image_network(preset: str, name: str) -> ValueError:
    return ValueError(
        f"backbone.options.preset: {name} of {preset!r} is no network from images to features [batch, …, width]; give "
        "the preset of one, such as ViT, ResNet or SigLIP"
    )


def _read(preset: str, name: str) -> dict[str, Any]:
    with open(os.path.join(preset, name), encoding="utf-8") as file:
        return json.load(file)
