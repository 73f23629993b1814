import functools
import io
import itertools

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from trainer.data import images, orientation
from trainer.models.backbone import ImageConfig

JPEGS = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "progressive": {"subsampling": 2, "progressive": True},
    "restarts": {"subsampling": 2, "restart_marker_rows": 1},
}


def png(pixels: np.ndarray) -> bytes:
    return tf.io.encode_png(pixels.astype(np.uint8)).numpy()


def jpeg(pixels: np.ndarray, mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3))


def coordinates(height: int, width: int) -> np.ndarray:
    """Red grows from left to right, green from top to bottom, both from 20 to 220; blue is their mean."""
    y, x = np.mgrid[:height, :width]
    red, green = 20 + 200 * x / (width - 1), 20 + 200 * y / (height - 1)
    return np.round(np.stack([red, green, (red + green) / 2], -1))


def seen(pixels: tf.Tensor) -> tuple[float, float, float, float]:
    """The top, left, height and width, as shares, of the part of `coordinates` that was made to these pixels."""
    shares = (tf.cast(pixels, tf.float32).numpy() - 20) / 200
    size = len(shares)
    # The centres of the first and the last pixel are half a pixel inside.
    step = (shares[-1, -1] - shares[0, 0]) / (size - 1)
    left, top, _ = shares[0, 0] - step / 2
    return top, left, step[1] * size, step[0] * size


class DecodeTest(tf.test.TestCase):
    def test_an_image_of_the_right_size_is_not_touched(self):
        for channels in (1, 3):
            with self.subTest(channels=channels):
                pixels = np.random.default_rng(1).integers(0, 256, (8, 8, channels), np.uint8)
                decoded = images.decode(png(pixels), ImageConfig(size=8, channels=channels))
                self.assertDTypeEqual(decoded, np.uint8)
                self.assertAllEqual(decoded, pixels)

    def test_of_a_rectangle_the_central_square_is_taken(self):
        # Were the crop off by one pixel, or the rectangle squeezed, the surroundings would show.
        landscape = np.full((12, 20, 1), 10)
        landscape[:, 4:16] = 200
        for name, pixels in (("landscape", landscape), ("portrait", landscape.transpose(1, 0, 2))):
            for size in (4, 24):
                with self.subTest(shape=name, size=size):
                    decoded = images.decode(png(pixels), ImageConfig(size=size, channels=1))
                    self.assertAllEqual(decoded, np.full((size, size, 1), 200))

    def test_shrinking_keeps_rows_and_columns_and_averages(self):
        rows, columns = np.mgrid[:12, :12]
        decoded = images.decode(png((3 * rows + 10 * columns)[..., None]), ImageConfig(size=4, channels=1))
        # Pixel (i, j) is centred on (3i + 1, 3j + 1); at the edges the filter has less to average.
        inner = [[3 * (3 * i + 1) + 10 * (3 * j + 1) for j in (1, 2)] for i in (1, 2)]
        self.assertAllEqual(decoded[1:3, 1:3, 0], inner)

        # A triangle over five columns, 1 2 3 2 1: without antialiasing the column in the middle would decide alone.
        stripes = 255 * (columns[..., None] % 2)
        shrunk = images.decode(png(stripes), ImageConfig(size=4, channels=1))
        self.assertAllEqual(shrunk[:, 1:3, 0], [[round(255 * 4 / 9), round(255 * 5 / 9)]] * 4)

    def test_shrinking_by_two_averages_four_pixels(self):
        pixels = np.random.default_rng(4).integers(0, 64, (8, 8, 1)) * 4
        decoded = images.decode(png(pixels), ImageConfig(size=4, channels=1))
        self.assertAllEqual(decoded, pixels.reshape(4, 2, 4, 2, 1).mean((1, 3)).astype(int))

    def test_enlarging_interpolates(self):
        pixels = np.array([[0, 40], [80, 120]])[..., None]
        decoded = images.decode(png(pixels), ImageConfig(size=4, channels=1))
        across = np.array([0, 10, 30, 40])
        self.assertAllEqual(decoded[..., 0], across + 2 * across[:, None])

    def test_a_central_crop_is_a_share_of_the_side_of_the_central_square(self):
        pixels = noise(40, 31)
        for share, side in ((1.0, 31), (0.875, 27), (0.5, 16), (0.01, 1)):
            top, left = (40 - side) // 2, (31 - side) // 2
            expected = pixels[top : top + side, left : left + side]
            decoded = images.decode(png(pixels), ImageConfig(size=side, central_crop=share))
            self.assertAllEqual(decoded, expected)

    def test_of_a_jpeg_the_centre_is_as_it_is_in_the_whole(self):
        for (name, options), mode in itertools.product(JPEGS.items(), ("RGB", "L", "CMYK")):
            for height, width, share, side in ((75, 130, 1.0, 75), (131, 76, 0.875, 66), (60, 60, 1.0, 60)):
                with self.subTest(name, mode=mode, width=width):
                    encoded = jpeg(noise(height, width), mode, **options)
                    top, left = (height - side) // 2, (width - side) // 2
                    expected = tf.io.decode_image(encoded, channels=3)[top : top + side, left : left + side]
                    self.assertAllEqual(images.decode(encoded, ImageConfig(size=side, central_crop=share)), expected)

    def test_a_large_jpeg_is_shrunk_by_its_decoder_to_what_antialiasing_gives(self):
        smooth = coordinates(301, 410)
        for size in (40, 70, 140):  # by 4, 4 and 2; on from there without antialiasing
            image = ImageConfig(size=size, central_crop=0.9)
            shrunk = tf.cast(images.decode(jpeg(smooth), image), tf.int32)
            exact = tf.cast(images.decode(png(smooth), image), tf.int32)
            self.assertAllInRange(shrunk - exact, -5, 5)  # half a pixel of the image is 0.3 grey levels, a JPEG's own 2
        speckled = np.where(noise(301, 410) > 127, 255, 0)
        for encode in (jpeg, png):
            # The mean of 7 × 7 pixels: without antialiasing there would be black and white ones among these.
            self.assertAllInRange(tf.cast(images.decode(encode(speckled), ImageConfig(size=43)), tf.int32), 40, 215)

    def test_channels_are_as_the_network_wants_them(self):
        colour = np.full((8, 8, 3), (200, 50, 100), np.uint8)
        luma = 0.299 * 200 + 0.587 * 50 + 0.114 * 100
        grey = np.full((8, 8, 1), 77, np.uint8)
        for encode in (tf.io.encode_png, tf.io.encode_jpeg):
            with self.subTest(encode=encode.__name__):
                as_grey = images.decode(encode(colour), ImageConfig(size=8, channels=1))
                self.assertAllClose(tf.cast(as_grey, tf.float32), np.full((8, 8, 1), luma), atol=1.5)
                as_rgb = images.decode(encode(grey), ImageConfig(size=8, channels=3))
                self.assertAllEqual(as_rgb, np.full((8, 8, 3), 77))
                kept = images.decode(encode(colour), ImageConfig(size=8, channels=3))
                self.assertAllClose(tf.cast(kept, tf.float32), colour.astype(np.float32), atol=2)

    def test_the_common_kind_is_decoded_as_all_are(self):
        sizes = [(16, 16), (31, 31), (31, 17), (32, 32), (33, 20), (5, 31), (9, 64)]
        encoded = [jpeg(noise(*size), mode) for size in sizes for mode in ("L", "RGB", "CMYK")]
        exif = PIL.Image.Exif()
        exif[0x0112] = 6
        encoded += [png(noise(20, 30)), jpeg(noise(20, 30), exif=exif)]
        for channels, crop in itertools.product((1, 3), (1.0, 0.875)):
            with self.subTest(channels=channels, crop=crop):
                image = ImageConfig(size=16, channels=channels, central_crop=crop)
                decode = tf.function(
                    functools.partial(images.decode, image=image), input_signature=[tf.TensorSpec([], tf.string)]
                )
                calls = []

                def decode_any(one, decode=decode, calls=calls):
                    calls.append(one)
                    return decode(one)

                batch = tf.constant(encoded)
                found = images.decode_common(batch, orientation.is_without_exif(batch), image, decode_any)
                self.assertAllEqual(found, [decode(one) for one in encoded])
                # Of print colours; not smaller than twice the result; a PNG; turned.
                self.assertLen(calls, len(sizes) + 2 * 3 + 2)

    def test_the_shape_is_known_while_tracing(self):
        traced = tf.function(lambda encoded: images.decode(encoded, ImageConfig(size=8, channels=3)))
        concrete = traced.get_concrete_function(tf.TensorSpec([], tf.string))
        self.assertEqual(concrete.output_shapes, tf.TensorShape([8, 8, 3]))

    def test_what_is_not_an_image(self):
        with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
            images.decode(b"no image", ImageConfig(size=8))


class JpegWindowTest(tf.test.TestCase):
    def test_it_is_as_in_the_whole_image_of_the_same_ratio(self):
        rng = np.random.default_rng(5)
        for (name, options), ratio in itertools.product(JPEGS.items(), (1, 2, 4, 8)):
            encoded = jpeg(noise(150, 203), **options)
            whole = tf.io.decode_jpeg(encoded, channels=3, ratio=ratio).numpy()
            self.assertEqual(whole.shape, (-(-150 // ratio), -(-203 // ratio), 3))
            for _ in range(10):
                extent = rng.integers(1, whole.shape[:2])
                begin = rng.integers(0, whole.shape[:2] - extent + 1)
                window = images.decode_jpeg_window(
                    encoded, tf.constant(begin, tf.int32), tf.constant(extent, tf.int32), 3, ratio
                )
                rows, columns = (slice(b, b + e) for b, e in zip(begin, extent, strict=True))
                self.assertAllEqual(window, whole[rows, columns], f"{name} by {ratio} from {begin}")


class DecodeRandomCropTest(tf.test.TestCase):
    image = ImageConfig(size=24)

    def crops(self, encoded: bytes, least_area: float, count: int = 200, **image) -> np.ndarray:
        """Returns `seen` [count, 4] by the seeds 0 to count - 1."""
        image = self.image.model_copy(update=image)
        decoded = (
            tf.data.Dataset.range(count)
            .map(lambda i: images.decode_random_crop(encoded, image, least_area, tf.stack([i, 7])))
            .as_numpy_iterator()
        )
        return np.array([seen(pixels) for pixels in decoded])

    def test_area_and_aspect_ratio(self):
        for least_area in (0.08, 0.5):
            top, left, height, width = self.crops(png(coordinates(150, 200)), least_area).T
            area, ratio = height * width, width * 200 / (height * 150)
            self.assertAllInRange(area, least_area - 0.02, 1.02)
            self.assertAllInRange(ratio, 3 / 4 - 0.05, 4 / 3 + 0.05)
            # Both ranges are used, and so are all places.
            self.assertLess(area.min(), least_area + 0.05)
            self.assertGreater(area.max(), 0.85)
            self.assertLess(ratio.min(), 0.8)
            self.assertGreater(ratio.max(), 1.25)
            for begin, extent in ((top, height), (left, width)):
                self.assertAllInRange(begin, -0.02, 1)
                self.assertAllInRange(begin + extent, 0, 1.02)
                self.assertLess(begin.min(), 0.02)
                self.assertGreater((begin + extent).max(), 0.98)

    def test_a_jpeg_is_cropped_as_a_png_is(self):
        # 24 pixels of 48 to 600: each ratio of the decoder occurs.
        for height, width in ((60, 48), (260, 200), (450, 600)):
            pixels = coordinates(height, width)
            ours, expected = (self.crops(encoded, 0.08, 60) for encoded in (jpeg(pixels, subsampling=0), png(pixels)))
            # As shares: a pixel of the result is 1/24 of a crop of at most 1.
            self.assertAllClose(ours, expected, atol=0.04)

    def test_a_large_jpeg_looks_as_a_png_does(self):
        smooth = tf.image.resize(noise(4, 5), (450, 600), "bicubic").numpy().clip(0, 255)
        for i in range(10):
            ours, expected = (
                tf.cast(images.decode_random_crop(encoded, self.image, 0.3, tf.constant([i, 3])), tf.float32)
                for encoded in (jpeg(smooth, subsampling=0), png(smooth))
            )
            self.assertLess(float(tf.reduce_mean(tf.abs(ours - expected))), 3)
            self.assertGreater(float(tf.reduce_mean(tf.abs(tf.reverse(ours, [1]) - expected))), 20)

    def test_all_of_a_square_is_the_square(self):
        pixels = noise(24, 24)
        decoded = images.decode_random_crop(png(pixels), self.image, 1.0, tf.constant([1, 2]))
        self.assertAllEqual(decoded, pixels)

    def test_where_no_part_fits_the_whole_is_taken(self):
        for encode in (png, jpeg):
            crops = self.crops(encode(coordinates(20, 200)), 0.5, 5)
            self.assertAllClose(crops, np.tile([0, 0, 1, 1], (5, 1)), atol=0.06)

    def test_grey(self):
        encoded = jpeg(np.full((40, 50, 3), 99))
        decoded = images.decode_random_crop(encoded, ImageConfig(size=8, channels=1), 0.1, tf.constant([1, 2]))
        self.assertAllEqual(decoded, np.full((8, 8, 1), 99))

    def test_the_seed_decides(self):
        encoded = jpeg(noise(40, 50))
        a, again, other = (images.decode_random_crop(encoded, self.image, 0.1, tf.constant([1, i])) for i in (2, 2, 3))
        self.assertAllEqual(a, again)
        self.assertNotAllEqual(a, other)
