"""The Examples contract: an encoded image, its labels and its id as a `tf.train.Example`, and as a row of the index."""

import dataclasses

import tensorflow as tf

from components.artifacts import index
from components.artifacts.rejected import Rejection
from components.example_gen.images import check as image_check
from components.example_gen.images import perceptual_hash
from components.sharding import Keyed


@dataclasses.dataclass(frozen=True)
class LabelledImage:
    """What a reader yields.

    Attributes:
      image: the encoded image, as read.
      labels: indices into the vocabulary, at least one.
      source_id: the data set's own key, or None: a hash of the image then stands for it.
      uri: the file it was read from, or None if that holds other images too.
    """

    image: bytes
    labels: tuple[int, ...]
    source_id: str | None = None
    uri: str | None = None


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of an encoded image.

    Attributes:
      format: jpeg or png.
      height: pixels.
      width: pixels.
      content_hash: of its bytes.
      original_format: of `image_check.FORMATS`, what it was read as.
      converted: whether its bytes are others than those that were read.
    """

    format: str
    height: int
    width: int
    content_hash: str
    original_format: str
    converted: bool


def taken(
    example: LabelledImage, content_hash: str, num_labels: int, max_pixels: int
) -> tuple[LabelledImage, Facts] | Rejection:
    """Returns `example` as it is written, with a checked image and an id, or why it is set aside.

    Args:
      example: as it was read.
      content_hash: of its image as read. It is the id where the data have none, so that an id does not depend on how an
        image is converted.
      num_labels: size of the vocabulary.
      max_pixels: height × width that is allowed.
    """
    source_id = content_hash if example.source_id is None else example.source_id
    if not example.labels:
        return Rejection(source_id, example.uri, "no_label", "it has no label")
    if not all(0 <= label < num_labels for label in example.labels):
        detail = f"labels {example.labels} outside the vocabulary of {num_labels} names"
        return Rejection(source_id, example.uri, "unknown_label", detail)
    try:
        image = image_check.checked(example.image, max_pixels)
    except image_check.RefusedError as error:
        return Rejection(source_id, example.uri, error.reason, error.detail)
    converted = image.encoded is not example.image
    if converted:
        content_hash = index.content_hash(image.encoded)
    facts = Facts(image.format, image.height, image.width, content_hash, image.original_format, converted)
    labels = tuple(dict.fromkeys(example.labels))  # each once: an image may have several objects of a kind
    return dataclasses.replace(example, image=image.encoded, labels=labels, source_id=source_id), facts


def keyed(
    example: LabelledImage,
    *,
    split: str,
    names: tuple[str, ...],
    facts: Facts,
    perceptual_hashes: bool = False,
) -> Keyed:
    """Returns the record and the index row of `example`, with its perceptual hashes where they are asked for.

    Args:
      example: as `taken` returns it.
      split: of ours.
      names: of all labels.
      facts: of its image, as `taken` returns them.
    """
    features = {
        "image/encoded": _bytes([example.image]),
        "image/format": _bytes([facts.format.encode()]),
        "image/height": _ints([facts.height]),
        "image/width": _ints([facts.width]),
        "image/class/label": _ints(example.labels),
        "image/class/text": _bytes([names[label].encode() for label in example.labels]),
        "image/source_id": _bytes([example.source_id.encode()]),
    }
    key = index.id_key(example.source_id)
    row = {
        "source_id": example.source_id,
        "key": key,
        "labels": list(example.labels),
        "split": split,
        "format": facts.format,
        "original_format": facts.original_format,
        "converted": facts.converted,
        "height": facts.height,
        "width": facts.width,
        "bytes": len(example.image),
        "content_hash": facts.content_hash,
    }
    if perceptual_hashes:
        row["perceptual_hash"], row["perceptual_hash_flipped"] = perceptual_hash.of_encoded(example.image)
    record = tf.train.Example(features=tf.train.Features(feature=features))
    # A map has no order of its own: only so do the same data give the same bytes.
    return Keyed(key, record.SerializeToString(deterministic=True), row)


def source_id_of(record: bytes) -> str:
    """Returns the id of the example in `record`."""
    return _first_bytes(record, "image/source_id").decode()


def image_of(record: bytes) -> bytes:
    """Returns the encoded image of the example in `record`."""
    return _first_bytes(record, "image/encoded")


def _first_bytes(record: bytes, key: str) -> bytes:
    return tf.train.Example.FromString(record).features.feature[key].bytes_list.value[0]


def _bytes(values) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
