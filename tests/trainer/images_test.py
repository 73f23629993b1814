import numpy as np
import pytest
import tensorflow as tf

from trainer import images
from trainer.models import Image


def png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


class DecodeTest(tf.test.TestCase):
    def test_an_image_of_the_right_size_is_not_touched(self):
        for channels in (1, 3):
            with self.subTest(channels=channels):
                pixels = np.random.default_rng(1).integers(0, 256, (8, 8, channels), np.uint8)
                decoded = images.decode(png(pixels), Image(size=8, channels=channels))
                self.assertDTypeEqual(decoded, np.uint8)
                self.assertAllEqual(decoded, pixels)

    def test_of_a_rectangle_the_central_square_is_taken(self):
        # Were the crop off by one pixel, or the rectangle squeezed, the surroundings would show.
        landscape = np.full((12, 20, 1), 10)
        landscape[:, 4:16] = 200
        for name, pixels in (("landscape", landscape), ("portrait", landscape.transpose(1, 0, 2))):
            for size in (4, 24):
                with self.subTest(shape=name, size=size):
                    decoded = images.decode(png(pixels), Image(size=size, channels=1))
                    self.assertAllEqual(decoded, np.full((size, size, 1), 200))

    def test_shrinking_keeps_rows_and_columns_and_averages(self):
        rows, columns = np.mgrid[:12, :12]
        decoded = images.decode(png((3 * rows + 10 * columns)[..., None]), Image(size=4, channels=1))
        # Pixel (i, j) is centred on (3i + 1, 3j + 1); at the edges the filter has less to average.
        inner = [[3 * (3 * i + 1) + 10 * (3 * j + 1) for j in (1, 2)] for i in (1, 2)]
        self.assertAllEqual(decoded[1:3, 1:3, 0], inner)

        # A triangle over five columns, 1 2 3 2 1: without antialiasing the column in the middle would decide alone.
        stripes = 255 * (columns[..., None] % 2)
        shrunk = images.decode(png(stripes), Image(size=4, channels=1))
        self.assertAllEqual(shrunk[:, 1:3, 0], [[round(255 * 4 / 9), round(255 * 5 / 9)]] * 4)

    def test_channels_are_as_the_network_wants_them(self):
        colour = np.full((8, 8, 3), (200, 50, 100), np.uint8)
        luma = 0.299 * 200 + 0.587 * 50 + 0.114 * 100
        grey = np.full((8, 8, 1), 77, np.uint8)
        for encode in (tf.io.encode_png, tf.io.encode_jpeg):
            with self.subTest(encode=encode.__name__):
                as_grey = images.decode(encode(colour), Image(size=8, channels=1))
                self.assertAllClose(tf.cast(as_grey, tf.float32), np.full((8, 8, 1), luma), atol=1.5)
                as_rgb = images.decode(encode(grey), Image(size=8, channels=3))
                self.assertAllEqual(as_rgb, np.full((8, 8, 3), 77))
                kept = images.decode(encode(colour), Image(size=8, channels=3))
                self.assertAllClose(tf.cast(kept, tf.float32), colour.astype(np.float32), atol=2)

    def test_the_shape_is_known_while_tracing(self):
        traced = tf.function(lambda encoded: images.decode(encoded, Image(size=8, channels=3)))
        concrete = traced.get_concrete_function(tf.TensorSpec([], tf.string))
        self.assertEqual(concrete.output_shapes, tf.TensorShape([8, 8, 3]))

    def test_what_is_not_an_image(self):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
            images.decode(b"no image", Image(size=8))
