"""The photographs of docs/results.md: a source of printed characters and a few clothes, a target of other clothes.

The clothes are Fashion-MNIST's (Xiao et al. 2017), 28 × 28 pixels, grey. The source has all of `printed_glyphs` and, of
five classes, 1,000 train and 100 eval images each: 6% of its train images, so that they have to be found. The target
has the other five classes: 20 train and 80 eval images of each, and all 5,000 test images. What is drawn are the first
of each class by the SHA-256 of their pixels.
"""

import gzip
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import PIL.Image

from components import storage
from components.example_gen.readers import tfds_builders

DEBIAN_FOLDER = "/usr/share/datasets/fashion-mnist"
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SOURCE_CLASSES = (0, 2, 4, 5, 8)
TARGET_CLASSES = (1, 3, 6, 7, 9)

_DEBIAN_NAMES = {"train": "train", "test": "t10k"}
_HEADERS = {"images-idx3": 16, "labels-idx1": 8}  # bytes before the values in an IDX file


class Photograph(NamedTuple):
    """An image of clothes: a unique id, the index of its class, uint8 [28, 28] pixels."""

    id: str
    label: int
    pixels: np.ndarray


def write(folder: str, debian_folder: str = DEBIAN_FOLDER) -> None:
    """Writes `source-train.tfrecord` and so on to `folder`, unless they are there.

    Raises:
      FileNotFoundError: Fashion-MNIST is neither in `debian_folder` nor prepared for TFDS.
    """
    paths = {
        (role, split): os.path.join(folder, f"{role}-{split}.tfrecord")
        for role, splits in (("source", ("train", "eval")), ("target", ("train", "eval", "test")))
        for split in splits
    }
    if all(map(os.path.exists, paths.values())):
        return
    train, test = (read_clothes(split, debian_folder) for split in ("train", "test"))
    tested = {photograph.id for photograph in test}
    train = [photograph for photograph in train if photograph.id not in tested]
    of_target = draw(train, TARGET_CLASSES, 20 + 80)
    chosen = {
        ("source", "train"): draw(train, SOURCE_CLASSES, 1000),
        ("source", "eval"): draw(test, SOURCE_CLASSES, 100),
        ("target", "train"): [photographs[:20] for photographs in of_target],
        ("target", "eval"): [photographs[20:] for photographs in of_target],
        ("target", "test"): draw(test, TARGET_CLASSES, None),
    }
    tfds_builders.prepare_embedded("printed_glyphs", None)
    os.makedirs(folder, exist_ok=True)
    for (role, split), classes in chosen.items():
        records = [
            _make_record(each.id, CLASSES[each.label], _encode(each.pixels)) for part in classes for each in part
        ]
        glyphs = read_glyphs(split) if role == "source" else ()
        storage.write_records(paths[role, split], (*records, *(_make_record(*glyph) for glyph in glyphs)))


def write_clothes(folder: str, debian_folder: str = DEBIAN_FOLDER) -> None:
    """Writes all clothes, and nothing else, to `clothes-train.tfrecord` and `clothes-eval.tfrecord` in `folder`.

    Raises:
      FileNotFoundError: as `write`.
    """
    paths = {split: os.path.join(folder, f"clothes-{split}.tfrecord") for split in ("train", "eval")}
    if all(map(os.path.exists, paths.values())):
        return
    test = read_clothes("test", debian_folder)
    tested = {photograph.id for photograph in test}
    train = [photograph for photograph in read_clothes("train", debian_folder) if photograph.id not in tested]
    os.makedirs(folder, exist_ok=True)
    for split, chosen in (("train", train), ("eval", test)):
        storage.write_records(
            paths[split], (_make_record(each.id, CLASSES[each.label], _encode(each.pixels)) for each in chosen)
        )


def read_clothes(split: str, debian_folder: str = DEBIAN_FOLDER) -> list[Photograph]:
    """Returns the images of Fashion-MNIST's split 'train' or 'test', by the SHA-256 of their pixels, none twice.

    Raises:
      FileNotFoundError: it is neither in `debian_folder` nor prepared for TFDS.
    """
    stem = os.path.join(debian_folder, _DEBIAN_NAMES[split])
    if os.path.isdir(debian_folder):
        images, labels = (_read_idx(f"{stem}-{part}-ubyte.gz", header) for part, header in _HEADERS.items())
        pairs: Iterable = zip(images.reshape(-1, 28, 28), labels, strict=True)
    else:
        pairs = _read_tfds(split, debian_folder)
    found = {}
    for pixels, label in pairs:
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        found[digest] = Photograph(f"fashion-{digest[:20]}", int(label), pixels)
    return [found[digest] for digest in sorted(found)]


def draw(photographs: Iterable[Photograph], classes: Iterable[int], count: int | None) -> list[list[Photograph]]:
    """Returns, for each of `classes`, its first `count` photographs; None: all of them."""
    by_class: dict[int, list[Photograph]] = {label: [] for label in classes}
    for photograph in photographs:
        if photograph.label in by_class:
            by_class[photograph.label].append(photograph)
    return [found[:count] for found in by_class.values()]


def read_glyphs(split: str) -> Iterator[tuple[str, str, bytes]]:
    """Yields id, name of the label and PNG of the images of `printed_glyphs`."""
    import tensorflow_datasets as tfds

    builder = tfds_builders.open_prepared("printed_glyphs", None)
    names = builder.info.features["label"].names
    decoders = {"image": tfds.decode.SkipDecoding()}
    for example in builder.as_dataset(split=split, decoders=decoders).as_numpy_iterator():
        yield example["id"].decode(), names[example["label"]], example["image"]


def _read_idx(path: str, header: int) -> np.ndarray:
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def _read_tfds(split: str, debian_folder: str) -> Iterator[tuple[np.ndarray, int]]:
    try:
        builder = tfds_builders.open_prepared("fashion_mnist", None)
    except ValueError as error:
        raise FileNotFoundError(
            f"Fashion-MNIST is not in {debian_folder}: run `apt-get install dataset-fashion-mnist`, "
            "or elsewhere `tfds build fashion_mnist`"
        ) from error
    for example in builder.as_dataset(split=split).as_numpy_iterator():
        yield example["image"][..., 0], example["label"]


def _encode(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _make_record(source_id: str, label: str, image: bytes) -> bytes:
    import tensorflow as tf

    values = {"id": source_id.encode(), "image/class/label": label.encode(), "image/encoded": image}
    features = {key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
