"""The Examples: a `tf.train.Example` an image, by the keys that TensorFlow's image classification uses. Pure.

Splits are `train`, `eval` and `test`; a split is TFRecord files.
"""

from typing import Any

IMAGE = "image/encoded"  # bytes[1]: JPEG or PNG
FORMAT = "image/format"  # bytes[1]: jpeg or png
HEIGHT, WIDTH = "image/height", "image/width"  # int64[1]: pixels
LABELS = "image/class/label"  # int64[≥1]: indices into the vocabulary
LABEL_NAMES = "image/class/text"  # bytes[same]
SOURCE_ID = "image/source_id"  # bytes[1]: unique, stable, whatever the sharding


def source_id_of(example: Any) -> str:
    """Returns the id of a `tf.train.Example`."""
    return example.features.feature[SOURCE_ID].bytes_list.value[0].decode()


def image_of(example: Any) -> bytes:
    """Returns the encoded image of a `tf.train.Example`."""
    return example.features.feature[IMAGE].bytes_list.value[0]
