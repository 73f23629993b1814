"""What becomes of an image that was read: an Example and a row of the index for each of our splits that takes it, or a
rejection."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from components.artifacts import examples as keys
from components.artifacts import index, rejected
from components.artifacts.rejected import Rejection
from components.example_gen.images import check as image_check
from components.example_gen.images import perceptual_hash
from components.parallel_map import parallel_map
from components.example_gen.readers.reader import LabelledImage, Part
from components.sharding import Keyed

CHECKS = ("full", "header")
_HELD_BYTES = 32 << 20  # of images that are under way


@dataclasses.dataclass(frozen=True)
class Check:
    """How the images of a data set are checked.

    Attributes:
      names: of its labels.
      max_pixels: height × width that is allowed.
      perceptual_hashes: whether rows of the index get them.
      kind: of CHECKS: whether images are decoded ('full'), or only their headers looked at.
    """

    names: tuple[str, ...]
    max_pixels: int
    perceptual_hashes: bool
    kind: str = "full"

    def all(
        self, part: Part, images: Iterable[LabelledImage | Rejection], threads: int
    ) -> Iterator[tuple[str, Keyed]]:
        """Yields (our split, example) for `images` of `part`, in their order; a rejection has no record."""
        found = parallel_map(lambda item: list(self._one(part, item)), images, threads, _size, _HELD_BYTES)
        return itertools.chain.from_iterable(found)

    def _one(self, part: Part, item: LabelledImage | Rejection) -> Iterator[tuple[str, Keyed]]:
        is_image = isinstance(item, LabelledImage)
        content_hash = index.content_hash(item.image if is_image else item.source_id.encode())
        splits = part.splits_of(content_hash)
        if not splits:
            return
        found = taken(item, content_hash, len(self.names), self.max_pixels, self.kind) if is_image else item
        for split in splits:
            if isinstance(found, Rejection):
                yield split, _set_aside(found, split)
            else:
                example, facts = found
                yield (
                    split,
                    keyed(
                        example,
                        split=split,
                        names=self.names,
                        facts=facts,
                        perceptual_hashes=self.perceptual_hashes,
                    ),
                )


def repeated(row: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the rejection of an example whose id `first` of its split has, too; all three are rows of tables.

    The same image again, as where the content is the id, is left out without being a fault of the data.
    """
    same = row["content_hash"] == first["content_hash"]
    reason = rejected.DUPLICATE_IMAGE if same else "duplicate_id"
    detail = f"another image of this split has the same id{' and content' if same else ''}"
    return Rejection(row["source_id"], None, reason, detail).row(row["split"])


def _set_aside(rejection: Rejection, split: str) -> Keyed:
    """Returns `rejection` as it travels among the records: without one."""
    return Keyed(index.id_key(rejection.source_id), b"", rejection.row(split))


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
    example: LabelledImage, content_hash: str, num_labels: int, max_pixels: int, check: str = "full"
) -> tuple[LabelledImage, Facts] | Rejection:
    """Returns `example` as it is written, with a checked image and an id, or why it is set aside.

    Args:
      example: as it was read.
      content_hash: of its image as read. It is the id where the data have none, so that an id does not depend on how an
        image is converted.
      num_labels: size of the vocabulary.
      max_pixels: height × width that is allowed.
      check: of CHECKS.
    """
    source_id = content_hash if example.source_id is None else example.source_id
    if not example.labels:
        return Rejection(source_id, example.uri, "no_label", "it has no label")
    if not all(0 <= label < num_labels for label in example.labels):
        detail = f"labels {example.labels} outside the vocabulary of {num_labels} names"
        return Rejection(source_id, example.uri, "unknown_label", detail)
    try:
        image = image_check.checked(example.image, max_pixels, full=check == "full")
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
        keys.IMAGE: _bytes([example.image]),
        keys.FORMAT: _bytes([facts.format.encode()]),
        keys.HEIGHT: _ints([facts.height]),
        keys.WIDTH: _ints([facts.width]),
        keys.LABELS: _ints(example.labels),
        keys.LABEL_NAMES: _bytes([names[label].encode() for label in example.labels]),
        keys.SOURCE_ID: _bytes([example.source_id.encode()]),
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


def _size(item: LabelledImage | Rejection) -> int:
    return len(item.image) if isinstance(item, LabelledImage) else 0


def _bytes(values) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
