"""What becomes of an image that was read: a row of the index for each of our splits that takes it, and an Example where
it is written; or a rejection."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from components.artifacts import examples as keys
from components.artifacts import index
from components.artifacts.rejected import Rejection
from components.deep_images import Scale16Bit
from components.example_gen.images import check as image_check
from components.example_gen.images import perceptual_hash
from components.example_gen.readers.reader import LabelledImage, Part
from components.parallel_map import parallel_map

CHECKS = ("full", "header")
_HELD_BYTES = 32 << 20  # of images that are under way
_SMALL = 4 << 10  # bytes of an image
_LOOKED_AT = 8  # images of a part, whose size is that of all for what it matters


Order = tuple[int, list[int], str]


def order_of(row: Mapping[str, Any]) -> Order:
    """Returns what the example of a row of the index is sorted by: of several with an id, the first is taken."""
    return row["key"], row["labels"], row["content_hash"]


@dataclasses.dataclass(frozen=True)
class Indexed:
    """An image that is taken, and its row of the index; of a rejection no image, and its row of the rejections."""

    image: bytes
    row: dict[str, Any]

    @property
    def key(self) -> int:
        """What its shard is decided by."""
        return self.row["key"] if self.image else index.id_key(self.row["source_id"])

    @property
    def order(self) -> Order:
        """What a shard is sorted by; a rejection comes before the examples of its id."""
        return order_of(self.row) if self.image else (self.key, [], "")


@dataclasses.dataclass(frozen=True)
class ImageChecker:
    """How the images of a data set are checked.

    Attributes:
      names: of its labels.
      max_pixels: height × width that is allowed.
      perceptual_hashes: whether rows of the index get them.
      kind: of CHECKS: whether images are decoded ('full'), or only their headers looked at.
      threads: that check them; 0: as many as there are cores, or one if it hardly decodes anything.
      scale_16_bit: what becomes of images of 16 bits.
    """

    names: tuple[str, ...]
    max_pixels: int
    perceptual_hashes: bool
    kind: str = "full"
    threads: int = 0
    scale_16_bit: Scale16Bit = "max"

    def all(self, part: Part, images: Iterable[LabelledImage | Rejection]) -> Iterator[tuple[str, Indexed]]:
        """Yields (our split, what becomes of it) for `images` of `part`, in their order."""
        images = iter(images)
        first = list(itertools.islice(images, _LOOKED_AT))
        sizes = list(map(_size, first))
        # Looking at headers hardly leaves the interpreter, nor does decoding small images: threads would wait for each
        # other.
        decodes = self.kind == "full" or self.perceptual_hashes
        threads = self.threads or (0 if decodes and sum(sizes) > _SMALL * len(sizes) else 1)
        images = itertools.chain(_pop_all(first), images)
        found = parallel_map(lambda item: list(self._one(part, item)), images, threads, _size, _HELD_BYTES)
        return itertools.chain.from_iterable(found)

    def _check(self, image: LabelledImage, content_hash: str) -> "Example | Rejection":
        return check_example(image, content_hash, len(self.names), self.max_pixels, self.kind, self.scale_16_bit)

    def _one(self, part: Part, item: LabelledImage | Rejection) -> Iterator[tuple[str, Indexed]]:
        content_hash = index.content_hash(item.source_id.encode() if isinstance(item, Rejection) else item.image)
        splits = part.splits_of(content_hash)
        if not splits:
            return
        found: Example | Rejection = item if isinstance(item, Rejection) else self._check(item, content_hash)
        for split in splits:
            if isinstance(found, Rejection):
                yield split, Indexed(b"", found.row(split))
            else:
                yield split, index_example(found, split, perceptual_hashes=self.perceptual_hashes)


@dataclasses.dataclass(frozen=True)
class Example:
    """A labelled image as it is written.

    Attributes:
      source_id: the data set's own key, or a hash of the image.
      labels: indices into the vocabulary, each once.
      image: checked.
      content_hash: of its bytes.
      converted: whether its bytes are others than those that were read.
    """

    source_id: str
    labels: tuple[int, ...]
    image: image_check.CheckedImage
    content_hash: str
    converted: bool


def check_example(
    example: LabelledImage,
    content_hash: str,
    num_labels: int,
    max_pixels: int,
    kind: str = "full",
    scale_16_bit: Scale16Bit = "max",
) -> Example | Rejection:
    """Returns `example` as it is written, or why it is set aside.

    Args:
      example: as it was read.
      content_hash: of its image as read. It is the id where the data have none, so that an id does not depend on how an
        image is converted.
      num_labels: size of the vocabulary.
      max_pixels: height × width that is allowed.
      kind: of CHECKS.
      scale_16_bit: what becomes of images of 16 bits.
    """
    source_id = content_hash if example.source_id is None else example.source_id
    if not example.labels:
        return Rejection(source_id, example.uri, "no_label", "it has no label")
    if not all(0 <= label < num_labels for label in example.labels):
        detail = f"labels {example.labels} outside the vocabulary of {num_labels} names"
        return Rejection(source_id, example.uri, "unknown_label", detail)
    try:
        image = image_check.check_image(example.image, max_pixels, full=kind == "full", scale_16_bit=scale_16_bit)
    except image_check.RefusedError as error:
        return Rejection(source_id, example.uri, error.reason, error.detail)
    converted = image.encoded is not example.image
    if converted:
        content_hash = index.content_hash(image.encoded)
    labels = tuple(dict.fromkeys(example.labels))  # each once: an image may have several objects of a kind
    return Example(source_id, labels, image, content_hash, converted)


def index_example(example: Example, split: str, *, perceptual_hashes: bool = False) -> Indexed:
    """Returns `example` with its row of the index.

    Args:
      example: as `check_example` returns it.
      split: of ours.
      perceptual_hashes: whether the row gets them.
    """
    image = example.image
    row: dict[str, Any] = {
        "source_id": example.source_id,
        "key": index.id_key(example.source_id),
        "labels": list(example.labels),
        "split": split,
        "format": image.format,
        "original_format": image.original_format,
        "converted": example.converted,
        "flattened": image.flattened,
        "height": image.height,
        "width": image.width,
        "bytes": len(image.encoded),
        "content_hash": example.content_hash,
    }
    if perceptual_hashes:
        row["perceptual_hash"], row["perceptual_hash_flipped"] = perceptual_hash.hash_encoded_image(image.encoded)
    return Indexed(image.encoded, row)


def make_record(image: bytes, row: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """Returns the Example of an encoded image, serialized.

    Args:
      image: a JPEG or PNG.
      row: of the index.
      names: of all labels.
    """
    record = tf.train.Example()
    features = record.features.feature
    # In place: each message that is put into another one is copied, and the image with it.
    features[keys.IMAGE].bytes_list.value.append(image)
    features[keys.FORMAT].bytes_list.value.append(row["format"].encode())
    features[keys.HEIGHT].int64_list.value.append(row["height"])
    features[keys.WIDTH].int64_list.value.append(row["width"])
    features[keys.LABELS].int64_list.value.extend(row["labels"])
    features[keys.LABEL_NAMES].bytes_list.value.extend(names[label].encode() for label in row["labels"])
    features[keys.SOURCE_ID].bytes_list.value.append(row["source_id"].encode())
    # A map has no order of its own: only so do the same data give the same bytes.
    return record.SerializeToString(deterministic=True)


def _pop_all(items: list) -> Iterator:
    """Yields `items`, of which none is held any longer than it is needed."""
    items.reverse()
    while items:
        yield items.pop()


def _size(item: LabelledImage | Rejection) -> int:
    return len(item.image) if isinstance(item, LabelledImage) else 0
