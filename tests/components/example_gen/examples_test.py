"""An image is accepted or rejected; it becomes a record and a row of the index."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from components.artifacts import index
from components.artifacts.rejected import Rejection
from components.example_gen import examples
from components.example_gen.images import check as image_check
from components.example_gen.images import perceptual_hash
from components.example_gen.readers.reader import LabelledImage

NAMES = ("cat", "größer", "emu")
NO_PLACE = {"offset": None, "length": None}  # before the record is written


def keyed(image: bytes, **options) -> examples.Indexed:
    example = examples.Example("n01/ä.x", (2, 1), image_check.CheckedImage(image, "jpeg", 5, 7, "webp"), "c0ffee", True)
    return examples.index_example(example, "eval", **options)


def taken(image: bytes, labels: tuple[int, ...] = (1,), source_id: str | None = "a"):
    content_hash = index.content_hash(image)
    return examples.check_example(LabelledImage(image, labels, source_id, "folder/a.x"), content_hash, len(NAMES), 100)


def escaped(value: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in value)


def test_the_record_and_the_row():
    image = b"\xff\0any"
    item = keyed(image)
    expected = f"""
      features {{
        feature {{ key: "image/encoded" value {{ bytes_list {{ value: "{escaped(image)}" }} }} }}
        feature {{ key: "image/format" value {{ bytes_list {{ value: "jpeg" }} }} }}
        feature {{ key: "image/height" value {{ int64_list {{ value: 5 }} }} }}
        feature {{ key: "image/width" value {{ int64_list {{ value: 7 }} }} }}
        feature {{ key: "image/class/label" value {{ int64_list {{ value: 2 value: 1 }} }} }}
        feature {{ key: "image/class/text" value {{ bytes_list {{ value: "emu" value: "größer" }} }} }}
        feature {{ key: "image/source_id" value {{ bytes_list {{ value: "n01/ä.x" }} }} }}
      }}"""
    record = examples.make_record(item.image, item.row, NAMES)
    assert tf.train.Example.FromString(record) == text_format.Parse(expected, tf.train.Example())
    assert item.key == index.id_key("n01/ä.x")
    assert item.row == {
        "source_id": "n01/ä.x",
        "key": index.id_key("n01/ä.x"),
        "labels": [2, 1],
        "split": "eval",
        "format": "jpeg",
        "original_format": "webp",
        "converted": True,
        "flattened": False,
        "height": 5,
        "width": 7,
        "bytes": 5,
        "content_hash": "c0ffee",
    }
    not_asked_for = {"perceptual_hash": None, "perceptual_hash_flipped": None}
    assert index.table([item.row]).to_pylist() == [{**item.row, **not_asked_for, **NO_PLACE}]


def test_perceptual_hashes_where_they_are_asked_for():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    row = keyed(tf.io.encode_png(pixels).numpy(), perceptual_hashes=True).row
    assert (row["perceptual_hash"], row["perceptual_hash_flipped"]) == perceptual_hash.hash_image(pixels)
    assert index.table([row]).to_pylist() == [{**row, **NO_PLACE}]


def test_the_same_example_gives_the_same_bytes():
    # The order of a protobuf map differs from one to the next, so a few would agree by chance only.
    row = keyed(b"image").row
    assert len({examples.make_record(b"image", row, NAMES) for _ in range(20)}) == 1


@pytest.mark.parametrize("source_id", ["a", "", None], ids=["id", "empty", "none"])
def test_what_is_taken_untouched(picture, source_id):
    image = picture(1)
    content_hash = index.content_hash(image)
    # An id is what the data set says, also where it says nothing; without one, the content is the id.
    expected = content_hash if source_id is None else source_id
    checked = image_check.CheckedImage(image, "png", 4, 6, "png")
    assert taken(image, (1, 0), source_id) == examples.Example(expected, (1, 0), checked, content_hash, False)


def test_an_image_has_each_label_once(picture):
    assert taken(picture(1), (2, 0, 2, 2, 0)).labels == (2, 0)


def test_the_id_of_a_converted_image_is_of_its_content_as_read(picture):
    image = picture(1, image_format="BMP")
    png = image_check.check_image(image, 100).encoded
    assert taken(image, source_id=None) == examples.Example(
        index.content_hash(image),
        (1,),
        image_check.CheckedImage(png, "png", 4, 6, "bmp"),
        index.content_hash(png),
        True,
    )


@pytest.mark.parametrize(
    ("labels", "reason", "detail"),
    [
        ((), "no_label", "it has no label"),
        ((3,), "unknown_label", "labels (3,) outside the vocabulary of 3 names"),
        ((0, -1), "unknown_label", "labels (0, -1) outside the vocabulary of 3 names"),
    ],
    ids=["none", "too large", "negative"],
)
def test_labels_that_are_set_aside(picture, labels, reason, detail):
    assert taken(picture(1), labels) == Rejection("a", "folder/a.x", reason, detail)


def test_an_image_that_is_set_aside(picture):
    image = picture(1, 10, 11)
    expected = Rejection("a", "folder/a.x", "too_many_pixels", "10 × 11 pixels; max_pixels is 100")
    assert taken(image) == expected
    assert taken(image, source_id=None) == dataclasses.replace(expected, source_id=index.content_hash(image))
