"""What becomes of 16 bits."""

import numpy as np
import pytest
import tensorflow as tf

from components import deep_images


@pytest.mark.parametrize(
    ("least", "most", "flattened"),
    [
        (0, 255, True),
        (0, 4095, True),
        (0, 4096, False),
        (255, 256, True),
        (40_000, 40_900, True),
        (7, 7, False),
        (0, 65_535, False),
    ],
    ids=["8 bits", "12 bits", "17 levels", "two levels", "bright", "of one value", "16 bits"],
)
def test_of_which_values_hardly_anything_is_seen(least, most, flattened):
    assert deep_images.is_flattened(least, most) is flattened


def test_values_are_stretched_and_rounded():
    values = np.array([300, 301, 302, 305], np.int32)
    assert deep_images.stretch(values, 300, 5).tolist() == [0, 51, 102, 255]
    assert deep_images.stretch(np.array([0, 1, 2], np.int32), 0, 2).tolist() == [0, 128, 255]
    assert deep_images.stretch(np.array([0, 32_768, 65_535], np.int32), 0, 65_535).tolist() == [0, 128, 255]
    assert deep_images.stretch(np.array([9, 9], np.int32), 9, 1).tolist() == [0, 0]


def test_a_png_keeps_its_transparency():
    values = np.array([[[10, 20, 30, 65_535], [60, 10, 35, 511]]], np.uint16)
    encoded = tf.io.encode_png(values).numpy()
    assert deep_images.is_deep_png(encoded)
    assert deep_images.read_stretched(encoded, 4).numpy().tolist() == [[[0, 51, 102, 255], [255, 0, 128, 1]]]
    assert deep_images.read_stretched(encoded, 3).numpy().tolist() == [[[0, 51, 102], [255, 0, 128]]]
    assert not deep_images.is_deep_png(tf.io.encode_png(values.astype(np.uint8)).numpy())
