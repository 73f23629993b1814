"""The orientation of an image, in Python and in TensorFlow: the same for each file, sound or broken."""

import io
import struct

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.orientation import read_orientation
from trainer.data import orientation

PIXELS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3) * 2


def tiff(value: int, order: str = "<", before: int = 1) -> bytes:
    """Returns EXIF data with an orientation behind `before` other tags."""
    tags = [(0x010F + i, 3, 1, 0) for i in range(before)] + [(0x0112, 3, 1, value)]
    entries = b"".join(struct.pack(f"{order}HHIHxx", *tag) for tag in tags)
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8)
    return start + struct.pack(f"{order}H", len(tags)) + entries + bytes(4)


def encode(image_format: str, exif: bytes | None = None) -> bytes:
    file = io.BytesIO()
    options = {} if exif is None else {"exif": b"Exif\0\0" + exif if image_format == "JPEG" else exif}
    PIL.Image.fromarray(PIXELS).save(file, image_format, **options)
    return file.getvalue()


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def in_graph(encoded):
    return tf.cond(tf.io.is_jpeg(encoded), lambda: orientation.of_jpeg(encoded), lambda: orientation.of_png(encoded))


def both(encoded: bytes) -> int:
    found = read_orientation(encoded)
    assert int(in_graph(tf.constant(encoded))) == found
    return found


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("value", range(10))
def test_each_value_wherever_it_stands(image_format, order, value):
    for before in (0, 3):
        encoded = encode(image_format, tiff(value, order, before))
        with PIL.Image.open(io.BytesIO(encoded)) as image:
            expected = image.getexif().get(0x0112, 1)
        assert both(encoded) == (expected if 1 <= value <= 8 else 1)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_without_exif(image_format):
    assert both(encode(image_format)) == 1


def test_of_a_jpeg_the_segments_at_its_start_count():
    jpeg = encode("JPEG")
    exif = segment(0xE1, b"Exif\0\0" + tiff(6))
    rest = jpeg[20:]  # what stands behind JFIF: tables, picture
    assert both(jpeg[:2] + exif + rest) == 6
    assert (
        both(
            jpeg[:20] + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + segment(0xE2, b"x" * 60000) + exif + rest
        )
        == 6
    )
    assert both(jpeg[:20] + rest[:4] + exif) == 1
    assert both(jpeg[:20] + segment(0xE1, b"Exif\0\0" + tiff(6)) + exif[:9]) == 6
    for length in range(len(exif)):
        assert both(jpeg[:20] + exif[:length]) in (1, 6)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_broken_ones_are_read_alike(data):
    image_format = data.draw(st.sampled_from(["JPEG", "PNG"]))
    whole = encode(image_format, tiff(data.draw(st.integers(1, 8)), data.draw(st.sampled_from("<>"))))
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(8, min(90, len(broken) - 1)))] = data.draw(st.integers(0, 255))
    both(bytes(broken[: data.draw(st.integers(2, len(broken)))]))


@pytest.mark.parametrize("value", range(1, 9))
def test_an_image_and_its_windows_are_turned_as_a_viewer_does(value):
    exif = PIL.Image.Exif()
    exif[0x0112] = value
    image = PIL.Image.fromarray(PIXELS)
    image.getexif().update(exif)
    shown = np.asarray(PIL.ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(orientation.turn(tf.constant(PIXELS), tf.constant(value)), shown)
    begin, extent = np.array([1, 2], np.int32), np.array([3, 2], np.int32)
    place, size = orientation.stored_window(
        *map(tf.constant, (begin, extent, np.int32(shown.shape[:2]), np.int32(value)))
    )
    stored = PIXELS[place[0] : place[0] + size[0], place[1] : place[1] + size[1]]
    window = orientation.turn(tf.constant(stored), tf.constant(value))
    np.testing.assert_array_equal(window, shown[1:4, 2:4])
