"""What a SavedModel makes of images of 16 bits, `assets.extra/images.json`, for who converts images before it."""

import json
import os

import tensorflow as tf

from components import storage
from components.deep_images import Scale16Bit

_FILE_NAME = "images.json"


def write(saved_model: str, scale_16_bit: Scale16Bit) -> None:
    """Writes it into the SavedModel in the folder `saved_model`."""
    storage.write_text(_path(saved_model), json.dumps({"scale_16_bit": scale_16_bit}) + "\n")


def read(saved_model: str) -> Scale16Bit:
    """Returns what becomes of 16 bits; 'max' for models of earlier versions, which do not say."""
    path = _path(saved_model)
    return json.loads(storage.read_text(path))["scale_16_bit"] if tf.io.gfile.exists(path) else "max"


def _path(saved_model: str) -> str:
    return os.path.join(saved_model, "assets.extra", _FILE_NAME)
