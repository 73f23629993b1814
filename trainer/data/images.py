"""Decodes images to uint8 squares. Training, evaluation and serving resize by the same function."""

from collections.abc import Callable

import tensorflow as tf

from trainer.data import orientation
from trainer.data.branches import set_apart
from trainer.models.backbone import ImageConfig

_ASPECT_RATIOS = (3 / 4, 4 / 3)
_PRINT = 4  # components of a JPEG of print colours
# A chroma sample of a JPEG is up to two columns wide, and upsampling reads its neighbours. One more sample on each side
# makes the pixels of a window equal to those of the whole image.
_MARGIN = 2
# Up to this factor bilinear interpolation reads every pixel, so antialiasing, which takes four times as long, is not
# needed.
_MAX_SHRINK_WITHOUT_ANTIALIASING = 2.0


def decode(encoded: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Decodes a JPEG or PNG to uint8 [size, size, channels], as evaluation and serving see it.

    A JPEG is turned as its EXIF says, and a PNG taken as it is: `trainer.data.formats` prepares others. The result is
    the central square, or its `central_crop`, resized where necessary. The decoder shrinks a large JPEG first, which is
    several times as fast as antialiasing, and shifts it by less than half a pixel of the result.

    Raises:
      tf.errors.InvalidArgumentError: the bytes are not an image, or the image is damaged.
    """
    return _decode_window(encoded, image, lambda shape: find_centre(shape, image))


def find_centre(shape: tf.Tensor, image: ImageConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the window (begin, extent), int32 [2], that evaluation sees of an image of `shape`, int32 [2]."""
    side = tf.reduce_min(shape)
    if image.central_crop < 1:
        side = tf.maximum(tf.cast(tf.round(image.central_crop * tf.cast(side, tf.float32)), tf.int32), 1)
    return (shape - side) // 2, tf.stack([side, side])


def decode_common(
    encoded: tf.Tensor, is_upright: tf.Tensor, image: ImageConfig, decode_any: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Decodes images, string [B], to uint8 [B, size, size, channels]: the commonest kind by a small graph.

    Common are upright JPEGs of screen colours that are less than twice as wide and high as the result. What comes out
    equals `decode` bit by bit. A graph in a data set is set up anew in each call, which takes longer for `decode`, with
    all its branches, than some images take.

    Args:
      encoded: string [B].
      is_upright: bool [B], which are JPEGs that nothing turns; see `orientation.is_without_exif`.
      image: what the network sees.
      decode_any: decodes one of the others, string [], to uint8 [size, size, channels].
    """

    def decode_one(one: tf.Tensor, upright: tf.Tensor) -> tf.Tensor:
        none = tf.zeros([3], tf.int32)
        shape = tf.cond(upright, lambda: tf.io.extract_jpeg_shape(one), lambda: none)
        begin, extent = find_centre(shape[:2], image)
        # Below this size nothing is shrunk by the decoder or antialiased. The whole image is decoded, which is faster
        # than a window of more than half of it.
        is_common = upright & (shape[2] != _PRINT) & (tf.reduce_max(shape[:2]) < 2 * image.size)

        def decode_whole() -> tf.Tensor:
            pixels = tf.io.decode_jpeg(one, channels=image.channels)
            window = pixels[begin[0] : begin[0] + extent[0], begin[1] : begin[1] + extent[1]]
            return _interpolate(window, image, antialias=False)

        return tf.cond(is_common, decode_whole, lambda: decode_any(one))

    spec = tf.TensorSpec([image.size, image.size, image.channels], tf.uint8)
    return tf.map_fn(lambda pair: decode_one(*pair), (encoded, is_upright), fn_output_signature=spec)


def decode_random_crop(encoded: tf.Tensor, image: ImageConfig, least_area: float, seed: tf.Tensor) -> tf.Tensor:
    """Decodes a random part of a JPEG or PNG, resized to uint8 [size, size, channels], as Inception is trained.

    The part has an aspect ratio in [3/4, 4/3] and between `least_area` and all of the image's area (Szegedy et al.
    2015, section 6). TensorFlow draws a uniform ratio, and a uniform height among those that the area allows. Where no
    such part fits, as in a very long image, the whole image is used.

    Args:
      encoded: string [].
      least_area: share of the area, above 0 and at most 1.
      seed: int [2].
    """

    def draw(shape: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        begin, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
            tf.concat([shape, [image.channels]], 0),
            tf.zeros([1, 0, 4]),  # there are no objects to keep
            seed,
            min_object_covered=0.0,
            aspect_ratio_range=_ASPECT_RATIOS,
            area_range=(least_area, 1.0),
            max_attempts=10,
            use_image_if_no_bounding_boxes=True,
        )
        return begin[:2], extent[:2]

    return _decode_window(encoded, image, draw)


def decode_jpeg_window(
    encoded: tf.Tensor, begin: tf.Tensor, extent: tf.Tensor, channels: int, ratio: int = 1
) -> tf.Tensor:
    """Decodes a window of a JPEG, uint8 [*extent, channels], and little more than the window.

    Its pixels equal, bit for bit, those of the whole image decoded with the same ratio.

    Args:
      encoded: string [], a JPEG.
      begin, extent: int32 [2], in pixels after the division by `ratio`.
      ratio: 1, 2, 4 or 8: the decoder divides the image's sides by it, rounded up.
    """
    width = -(-tf.io.extract_jpeg_shape(encoded)[1] // ratio)
    left, right = tf.maximum(begin[1] - _MARGIN, 0), tf.minimum(begin[1] + extent[1] + _MARGIN, width)
    wider = tf.io.decode_and_crop_jpeg(
        encoded, tf.stack([begin[0], left, extent[0], right - left]), channels=channels, ratio=ratio
    )
    return wider[:, begin[1] - left : begin[1] - left + extent[1]]


def resize(pixels: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Resizes uint8 [height, width, channels] to uint8 [size, size, channels]. An image of that size is not changed."""
    size = (image.size, image.size)
    shape = tf.shape(pixels)[:2]

    def shrink_or_enlarge() -> tf.Tensor:
        interpolations = [
            lambda antialias=antialias: _interpolate(pixels, image, antialias) for antialias in (False, True)
        ]
        longest = tf.cast(tf.reduce_max(shape), tf.float32)
        return tf.cond(longest <= _MAX_SHRINK_WITHOUT_ANTIALIASING * image.size, *interpolations)

    fits = tf.reduce_all(shape == size)
    return tf.ensure_shape(tf.cond(fits, lambda: pixels, shrink_or_enlarge), [*size, image.channels])


def _interpolate(pixels: tf.Tensor, image: ImageConfig, antialias: bool) -> tf.Tensor:
    # The cast comes first because the operation would convert a pixel each time it reads it.
    values = tf.image.resize(tf.cast(pixels, tf.float32), (image.size, image.size), antialias=antialias)
    return tf.cast(tf.round(values), tf.uint8)


def _decode_window(
    encoded: tf.Tensor, image: ImageConfig, choose_window: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
) -> tf.Tensor:
    """Decodes and resizes a window. `choose_window` maps an image's (height, width) to the window's (begin, extent)."""

    def decode_jpeg() -> tf.Tensor:
        shape, turned = tf.io.extract_jpeg_shape(encoded), orientation.of_jpeg(encoded)

        def decode_plain() -> tf.Tensor:
            return resize(_decode_shrunk_window(encoded, *choose_window(shape[:2]), image), image)

        def decode_turned() -> tf.Tensor:
            shown = tf.where(turned >= 5, shape[1::-1], shape[:2])
            window = orientation.stored_window(*choose_window(shown), shown, turned)
            return resize(orientation.turn(_decode_shrunk_window(encoded, *window, image), turned), image)

        def decode_print_colours() -> tf.Tensor:  # which the decoder does not make grey, and a PNG of them is stored
            pixels = orientation.turn(tf.io.decode_jpeg(encoded, channels=3), turned)
            return decode_other(tf.io.encode_png(pixels))

        is_print = shape[2] == _PRINT
        decode_special = set_apart(lambda: tf.cond(is_print, decode_print_colours, decode_turned))
        return tf.cond(is_print | (turned != 1), decode_special, decode_plain)

    def decode_other(encoded: tf.Tensor = encoded) -> tf.Tensor:
        pixels = tf.io.decode_image(encoded, channels=image.channels, expand_animations=False)
        pixels = tf.ensure_shape(pixels, [None, None, image.channels])
        begin, extent = choose_window(tf.shape(pixels)[:2])
        return resize(pixels[begin[0] : begin[0] + extent[0], begin[1] : begin[1] + extent[1]], image)

    return tf.cond(tf.io.is_jpeg(encoded), decode_jpeg, decode_other)


def _decode_shrunk_window(encoded: tf.Tensor, begin: tf.Tensor, extent: tf.Tensor, image: ImageConfig) -> tf.Tensor:
    """Returns a window of a JPEG, shrunk by the decoder as far as it stays at least `image.size` pixels wide and high.

    `begin` and `extent` are in pixels of the image. The edges of the result are off by at most half of its pixels.
    """

    def shrink(ratio: int) -> tf.Tensor:
        first, last = ((edge + ratio // 2) // ratio for edge in (begin, begin + extent))
        return decode_jpeg_window(encoded, first, last - first, image.channels, ratio)

    # The ratio is an attribute of the operation, not an input.
    halvings = tf.reduce_sum(tf.cast(tf.reduce_min(extent) // image.size >= [2, 4, 8], tf.int32))
    return tf.switch_case(halvings, [lambda ratio=ratio: shrink(ratio) for ratio in (1, 2, 4, 8)])
