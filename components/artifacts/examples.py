"""The Examples: one `tf.train.Example` per image, with the keys that TensorFlow's image classification uses. Pure.

The splits are `train`, `eval` and `test`; a split is a set of TFRecord files.
"""

from typing import Any

IMAGE = "image/encoded"  # bytes[1]: JPEG or PNG
FORMAT = "image/format"  # bytes[1]: jpeg or png
HEIGHT, WIDTH = "image/height", "image/width"  # int64[1]: pixels
LABELS = "image/class/label"  # int64[≥1]: indices into the vocabulary
LABEL_NAMES = "image/class/text"  # bytes[≥1]: the names of LABELS
SOURCE_ID = "image/source_id"  # bytes[1]: unique, and the same for any sharding

# Folder of Examples without an index, for the places of the records of `train`: Parquet files with the columns offset
# and length, one a record file; see `components.records`.
PLACES = "places"


def source_id_of(example: Any) -> str:
    """Returns the id of a `tf.train.Example`."""
    return example.features.feature[SOURCE_ID].bytes_list.value[0].decode()


def image_of(example: Any) -> bytes:
    """Returns the encoded image of a `tf.train.Example`."""
    return example.features.feature[IMAGE].bytes_list.value[0]
