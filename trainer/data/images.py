"""From encoded images to uint8 squares. Training, evaluation and serving resize by the same function."""

from collections.abc import Callable

import tensorflow as tf

from trainer.models.backbone import ImageConfig

_ASPECT_RATIOS = (3 / 4, 4 / 3)
# A chroma sample of a JPEG is up to two columns wide, and upsampling looks at its neighbours: with one more of them on
# each side, a window has the very pixels that it has in the whole image.
_MARGIN = 2
# Bilinear interpolation reads every pixel of an image that it shrinks by up to this factor, and takes a quarter of the
# time that antialiasing does.
_PLAIN_UP_TO = 2.0


def decode(encoded: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Returns an encoded JPEG or PNG as uint8 [size, size, channels]: what evaluation and serving see of it.

    That is its central square, or the `central_crop` of it, resized if it has to be. A large JPEG is shrunk by its
    decoder first, which is several times as fast as antialiasing, and off by less than half a pixel of the result.

    Raises:
      tf.errors.InvalidArgumentError: it is no image, or a broken one.
    """

    def central(shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        square = tf.cast(tf.reduce_min(shape), tf.float32)
        side = tf.maximum(tf.cast(tf.round(image.central_crop * square), tf.int32), 1)
        return (shape - side) // 2, tf.stack([side, side])

    return _decode_window(encoded, image, central)


def decode_random_crop(encoded: tf.Tensor, image: ImageConfig, least_area: float, seed: tf.Tensor) -> tf.Tensor:
    """Returns a random part of an encoded JPEG or PNG, resized to uint8 [size, size, channels]: Inception's training.

    The part has an aspect ratio in [3/4, 4/3] and `least_area` to all of the image's area (Szegedy et al. 2015, section
    6), as TensorFlow draws it: the ratio is uniform, and so is the height among those that the area allows. Where no
    such part fits, as into a very long image, it is the whole image.

    Args:
      encoded: string [].
      least_area: share of the area, above 0 and at most 1.
      seed: int [2].
    """

    def drawn(shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.concat([shape, [image.channels]], 0),
            tf.zeros([1, 0, 4]),  # no object has to be in it
            seed,
            min_object_covered=0.0,
            aspect_ratio_range=_ASPECT_RATIOS,
            area_range=(least_area, 1.0),
            max_attempts=10,
            use_image_if_no_bounding_boxes=True,
        )
        return begin[:2], extent[:2]

    return _decode_window(encoded, image, drawn)


def jpeg_window(encoded: tf.Tensor, begin: tf.Tensor, extent: tf.Tensor, channels: int, ratio: int = 1) -> tf.Tensor:
    """Returns uint8 [*extent, channels]: a window of a JPEG, of which little more than it is decoded.

    Its pixels are, bit for bit, those that the whole image has there if it is decoded by the same ratio.

    Args:
      encoded: string [], a JPEG.
      begin, extent: int32 [2], in pixels after the division by `ratio`.
      ratio: 1, 2, 4 or 8: how much the decoder shrinks the image. The shrunk image has its sides divided by it, rounded
        up.
    """
    width = -(-tf.io.extract_jpeg_shape(encoded)[1] // ratio)
    left, right = tf.maximum(begin[1] - _MARGIN, 0), tf.minimum(begin[1] + extent[1] + _MARGIN, width)
    wider = tf.io.decode_and_crop_jpeg(
        encoded, tf.stack([begin[0], left, extent[0], right - left]), channels=channels, ratio=ratio
    )
    return wider[:, begin[1] - left : begin[1] - left + extent[1]]


def resize(pixels: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Returns uint8 [height, width, channels] as uint8 [size, size, channels]; what has that size is not touched."""
    size = (image.size, image.size)
    shape = tf.shape(pixels)[:2]

    def interpolated(antialias: bool) -> tf.Tensor:
        # As float32 first: the operation reads each pixel several times, and converts it each time.
        values = tf.image.resize(tf.cast(pixels, tf.float32), size, antialias=antialias)
        return tf.cast(tf.round(values), tf.uint8)

    def other() -> tf.Tensor:
        plain = tf.cast(tf.reduce_max(shape), tf.float32) <= _PLAIN_UP_TO * image.size
        return tf.cond(plain, lambda: interpolated(False), lambda: interpolated(True))

    fits = tf.reduce_all(shape == size)
    return tf.ensure_shape(tf.cond(fits, lambda: pixels, other), [*size, image.channels])


def _decode_window(
    encoded: tf.Tensor, image: ImageConfig, place: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
) -> tf.Tensor:
    """Returns the window that `place` gives, as (begin, extent), for an image's (height, width); resized."""

    def jpeg() -> tf.Tensor:
        begin, extent = place(tf.io.extract_jpeg_shape(encoded)[:2])
        return resize(_decode_shrunk_window(encoded, begin, extent, image), image)

    def other() -> tf.Tensor:
        pixels = tf.io.decode_image(encoded, channels=image.channels, expand_animations=False)
        pixels = tf.ensure_shape(pixels, [None, None, image.channels])
        begin, extent = place(tf.shape(pixels)[:2])
        return resize(pixels[begin[0] : begin[0] + extent[0], begin[1] : begin[1] + extent[1]], image)

    return tf.cond(tf.io.is_jpeg(encoded), jpeg, other)


def _decode_shrunk_window(encoded: tf.Tensor, begin: tf.Tensor, extent: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Returns a window, shrunk by the decoder as far as it stays at least as large as it is wanted.

    `begin` and `extent` are in pixels of the image; what is returned begins and ends at most half of its pixels off.
    """

    def by(ratio: int) -> tf.Tensor:
        first, last = ((edge + ratio // 2) // ratio for edge in (begin, begin + extent))
        return jpeg_window(encoded, first, last - first, image.channels, ratio)

    # The ratio is an attribute of the operation, not an input.
    halvings = tf.reduce_sum(tf.cast(tf.reduce_min(extent) // image.size >= [2, 4, 8], tf.int32))
    return tf.switch_case(halvings, [lambda ratio=ratio: by(ratio) for ratio in (1, 2, 4, 8)])
