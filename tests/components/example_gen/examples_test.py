"""An image as a record and as a row of the index."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from components.example_gen import examples, index
from components.example_gen.examples import LabelledImage
from components.near_duplicates import hashes
from components.sharding import Keyed

NAMES = ("cat", "größer", "emu")


def keyed(image: bytes, labels: tuple[int, ...] = (1,), source_id: str | None = "a") -> Keyed:
    return examples.keyed(LabelledImage(image, labels, source_id), split="eval", names=NAMES)


def escaped(value: bytes) -> str:
    return "".join(f"\\{byte:03o}" for byte in value)


@pytest.mark.parametrize(
    ("written_as", "image_format", "mode"),
    [("PNG", "png", "L"), ("PNG", "png", "RGBA"), ("JPEG", "jpeg", "RGB"), ("JPEG", "jpeg", "CMYK")],
)
def test_the_record_and_the_row(written_as, image_format, mode):
    file = io.BytesIO()
    PIL.Image.new(mode, (7, 5)).save(file, written_as)
    image = file.getvalue()
    item = keyed(image, labels=(2, 1), source_id="n01/ä.x")
    expected = f"""
      features {{
        feature {{ key: "image/encoded" value {{ bytes_list {{ value: "{escaped(image)}" }} }} }}
        feature {{ key: "image/format" value {{ bytes_list {{ value: "{image_format}" }} }} }}
        feature {{ key: "image/height" value {{ int64_list {{ value: 5 }} }} }}
        feature {{ key: "image/width" value {{ int64_list {{ value: 7 }} }} }}
        feature {{ key: "image/class/label" value {{ int64_list {{ value: 2 value: 1 }} }} }}
        feature {{ key: "image/class/text" value {{ bytes_list {{ value: "emu" value: "größer" }} }} }}
        feature {{ key: "image/source_id" value {{ bytes_list {{ value: "n01/ä.x" }} }} }}
      }}"""
    assert tf.train.Example.FromString(item.record) == text_format.Parse(expected, tf.train.Example())
    assert item.key == index.id_key("n01/ä.x")
    assert item.row == {
        "source_id": "n01/ä.x",
        "key": index.id_key("n01/ä.x"),
        "labels": [2, 1],
        "split": "eval",
        "format": image_format,
        "height": 5,
        "width": 7,
        "bytes": len(image),
        "content_hash": index.content_hash(image),
    }
    not_asked_for = {"perceptual_hash": None, "perceptual_hash_flipped": None}
    assert index.table([item.row]).to_pylist() == [{**item.row, **not_asked_for}]


def test_perceptual_hashes_where_they_are_asked_for():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    row = examples.keyed(
        LabelledImage(file.getvalue(), (1,), "a"), split="eval", names=NAMES, perceptual_hashes=True
    ).row
    assert (row["perceptual_hash"], row["perceptual_hash_flipped"]) == hashes.of_image(pixels)
    assert index.table([row]).to_pylist() == [row]


def test_without_an_id_the_content_is_the_id(picture):
    image = picture(1)
    item = keyed(image, source_id=None)
    source_id = index.content_hash(image)
    assert (item.row["source_id"], item.key) == (source_id, index.id_key(source_id))
    features = tf.train.Example.FromString(item.record).features.feature
    assert features["image/source_id"].bytes_list.value == [source_id.encode()]
    # An id is what the data set says, also where it says nothing.
    assert keyed(image, source_id="").row["source_id"] == ""


def test_the_same_example_gives_the_same_bytes(picture):
    # The order of a protobuf map differs from one to the next, so a few would agree by chance only.
    image = picture(1)
    assert len({keyed(image).record for _ in range(20)}) == 1


def test_a_jpeg_with_more_pictures_in_it_is_a_jpeg():
    file = io.BytesIO()
    first, second = PIL.Image.new("RGB", (9, 4), "red"), PIL.Image.new("RGB", (2, 2), "blue")
    first.save(file, "MPO", save_all=True, append_images=[second])
    row = keyed(file.getvalue()).row
    assert (row["format"], row["height"], row["width"]) == ("jpeg", 4, 9)
    decoded = tf.io.decode_image(file.getvalue())
    assert decoded.shape == (4, 9, 3) and decoded[0, 0, 0] > 200


@pytest.mark.parametrize("labels", [(), (3,), (0, -1)], ids=["none", "too large", "negative"])
def test_labels_outside_the_vocabulary(picture, labels):
    with pytest.raises(ValueError) as error:
        keyed(picture(1), labels)
    assert str(error.value) == f"example 'a': labels {labels} outside the vocabulary of 3 names"


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "WEBP"])
def test_other_formats(picture, image_format):
    with pytest.raises(ValueError) as error:
        keyed(picture(1, image_format=image_format))
    assert str(error.value) == f"example 'a': its format is {image_format}; allowed are JPEG and PNG"


@pytest.mark.parametrize(
    "image",
    [b"", b"not an image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\0IHDR\xa8\xa1\xae\x0a"],
    ids=["nothing", "text", "jpeg", "png", "png with an empty header"],
)
def test_what_is_no_image(image):
    with pytest.raises(ValueError, match=f"^example 'a': its {len(image)} bytes are not a readable image"):
        keyed(image)


def test_an_image_too_large_to_decode(monkeypatch, picture):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 11)  # twice as many are an error
    with pytest.raises(ValueError, match=r"^example 'a': .*decompression bomb"):
        keyed(picture(1, 4, 6))


@given(st.data())
def test_a_damaged_image_is_named_or_taken_and_nothing_else(picture, data):
    image = bytearray(picture(1, image_format=data.draw(st.sampled_from(["PNG", "JPEG"]))))
    for place in data.draw(st.lists(st.integers(0, len(image) - 1), max_size=3)):
        image[place] = data.draw(st.integers(0, 255))
    image = bytes(image[: data.draw(st.integers(0, len(image)))])
    try:
        item = keyed(image)
    except ValueError as error:
        assert str(error).startswith("example 'a': its ")
    else:
        assert tf.train.Example.FromString(item.record).features.feature["image/encoded"].bytes_list.value == [image]
