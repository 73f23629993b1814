"""The Examples contract: an encoded image, its labels and its id as a `tf.train.Example`, and as a row of the index."""

import dataclasses
import io

import PIL.Image
import tensorflow as tf

from components.example_gen import index
from components.near_duplicates import hashes
from components.sharding import Keyed

# An MPO is a JPEG with more pictures behind the first, as phones write it; decoders of JPEG read the first.
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}


@dataclasses.dataclass(frozen=True)
class LabelledImage:
    """What a reader yields.

    Attributes:
      image: the encoded image, as read.
      labels: indices into the vocabulary, at least one.
      source_id: the data set's own key, or None: a hash of the image then stands for it.
    """

    image: bytes
    labels: tuple[int, ...]
    source_id: str | None = None


def keyed(example: LabelledImage, *, split: str, names: tuple[str, ...], perceptual_hashes: bool = False) -> Keyed:
    """Returns the record and the index row of `example`, with its perceptual hashes where they are asked for.

    Raises:
      ValueError: it has no label, or one outside `names`; its image is neither a JPEG nor a PNG.
    """
    content_hash = index.content_hash(example.image)
    source_id = content_hash if example.source_id is None else example.source_id
    if not example.labels or not all(0 <= label < len(names) for label in example.labels):
        raise ValueError(f"example {source_id!r}: labels {example.labels} outside the vocabulary of {len(names)} names")
    image_format, height, width = _header(example.image, source_id)
    features = {
        "image/encoded": _bytes([example.image]),
        "image/format": _bytes([image_format.encode()]),
        "image/height": _ints([height]),
        "image/width": _ints([width]),
        "image/class/label": _ints(example.labels),
        "image/class/text": _bytes([names[label].encode() for label in example.labels]),
        "image/source_id": _bytes([source_id.encode()]),
    }
    key = index.id_key(source_id)
    row = {
        "source_id": source_id,
        "key": key,
        "labels": list(example.labels),
        "split": split,
        "format": image_format,
        "height": height,
        "width": width,
        "bytes": len(example.image),
        "content_hash": content_hash,
    }
    if perceptual_hashes:
        row["perceptual_hash"], row["perceptual_hash_flipped"] = hashes.of_encoded(example.image)
    record = tf.train.Example(features=tf.train.Features(feature=features))
    # A map has no order of its own: only so do the same data give the same bytes.
    return Keyed(key, record.SerializeToString(deterministic=True), row)


def source_id_of(record: bytes) -> str:
    """Returns the id of the example in `record`."""
    return tf.train.Example.FromString(record).features.feature["image/source_id"].bytes_list.value[0].decode()


def _header(image: bytes, source_id: str) -> tuple[str, int, int]:
    """Returns format, height and width without decoding a pixel."""
    try:
        with PIL.Image.open(io.BytesIO(image)) as header:
            image_format, (width, height) = header.format, header.size
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"example {source_id!r}: its {len(image)} bytes are not a readable image ({error})") from error
    if image_format not in _FORMATS:
        raise ValueError(f"example {source_id!r}: its format is {image_format}; allowed are JPEG and PNG")
    return _FORMATS[image_format], height, width


def _bytes(values) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
