"""What the ExampleGen makes of an image that training does not read as it is, in TensorFlow, for a served model.

Both show what a viewer shows: transparency on white, turned by EXIF, the high byte of 16 bits or their range, the first
picture of an animation. `components.example_gen.images.check` does it for training, in PIL, which reads more formats.
"""

import functools

import tensorflow as tf

from components import deep_images
from components.deep_images import Scale16Bit
from trainer.data import orientation
from trainer.data.branches import set_apart

_PNG, _GIF, _BMP = b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM"
# Places in a PNG: the bits of a value, its colour type; of the first chunk: its start and its content.
_DEPTH, _COLOUR, _IDAT, _PIXELS = 24, 25, 33, 41
_CHECKSUM_AND_IEND = 16  # bytes
_DEEP = 16  # bits
_GREY, _GREY_ALPHA, _RGB_ALPHA = 0, 4, 6  # colour types of a PNG


def as_stored(encoded: tf.Tensor, scale_16_bit: Scale16Bit = "max") -> tf.Tensor:
    """Returns a JPEG, or a PNG without transparency and upright, that shows what the image `encoded` shows; string [].

    A JPEG is returned as it is: `trainer.data.images` turns it, and reads print colours.

    Args:
      encoded: string [].
      scale_16_bit: what becomes of a PNG of 16 bits.

    Raises:
      tf.errors.InvalidArgumentError: it is no JPEG, PNG, GIF or BMP, or it is damaged.
    """
    is_plain = tf.io.is_jpeg(encoded) | _is_plain_png(encoded, scale_16_bit)
    return tf.cond(is_plain, lambda: encoded, set_apart(lambda: _other(encoded, scale_16_bit)))


def _is_plain_png(encoded: tf.Tensor, scale: Scale16Bit) -> tf.Tensor:
    """Returns whether a PNG is without alpha, and has nothing but its header and one chunk of pixels, as most have.

    One whose 16 bits are scaled is not plain. To look at chunk after chunk takes longer than to decode a small picture.
    """
    # Zeros behind it, because it may be shorter.
    head = tf.strings.join([tf.strings.substr(encoded, 0, _PIXELS), "\0" * _PIXELS])
    size = tf.io.decode_raw(tf.strings.substr(head, _IDAT, 4), tf.int32, little_endian=False)[0]
    is_plain = (
        (tf.strings.substr(head, 0, len(_PNG)) == _PNG)
        & (tf.strings.substr(head, _IDAT + 4, 4) == "IDAT")
        & (tf.strings.length(encoded) == _PIXELS + size + _CHECKSUM_AND_IEND)
        & tf.reduce_all(tf.strings.substr(head, _COLOUR, 1) != [bytes([_GREY_ALPHA]), bytes([_RGB_ALPHA])])
    )
    return is_plain if scale == "max" else is_plain & (tf.strings.substr(head, _DEPTH, 1) != bytes([_DEEP]))


def _other(encoded: tf.Tensor, scale: Scale16Bit) -> tf.Tensor:
    kinds = [_starts_with(encoded, start) for start in (_PNG, _GIF, _BMP)]
    kind = tf.argmax(tf.stack([*kinds, True]), output_type=tf.int32)
    return tf.switch_case(
        kind,
        [
            lambda: _png(encoded, scale),
            lambda: tf.io.encode_png(tf.io.decode_gif(encoded)[0]),
            lambda: _bmp(encoded),
            lambda: tf.io.encode_png(tf.io.decode_png(encoded, channels=3)),  # raises the error
        ],
    )


def _png(encoded: tf.Tensor, scale: Scale16Bit) -> tf.Tensor:
    header = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, _DEPTH, 2), tf.uint8), tf.int32)
    depth, colour = header[0], header[1]
    key, _ = orientation.find_chunk(encoded, "tRNS")
    # PIL does not tell of a colour key in grey with 16 bits.
    has_key = (key >= 0) & ~((colour == _GREY) & (depth == _DEEP))
    shows_through = (colour == _GREY_ALPHA) | (colour == _RGB_ALPHA) | has_key
    turned = orientation.of_png(encoded)
    is_scaled = scale == "range" and depth == _DEEP

    def read(channels: int) -> tf.Tensor:
        plain = functools.partial(tf.io.decode_png, encoded, channels)
        if scale == "max":
            return plain()
        return tf.cond(is_scaled, lambda: deep_images.read_stretched(encoded, channels), plain)

    def flatten() -> tf.Tensor:
        pixels = read(4)
        colours, alpha = tf.cast(pixels[..., :3], tf.int32), tf.cast(pixels[..., 3:], tf.int32)
        # A division by 255, rounded, as PIL does it.
        mixed = colours * alpha + 255 * (255 - alpha) + 128
        return tf.cast((mixed // 256 + mixed) // 256, tf.uint8)

    def convert() -> tf.Tensor:
        pixels = tf.cond(shows_through, flatten, lambda: read(3))
        return tf.io.encode_png(orientation.turn(pixels, turned))

    return tf.cond(shows_through | is_scaled | (turned != 1), convert, lambda: encoded)


def _bmp(encoded: tf.Tensor) -> tf.Tensor:
    bits = tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, 28, 2), tf.uint8), tf.int32)
    known = tf.debugging.Assert(
        (bits[0] == 24) | (bits[0] == 32),
        ["a BMP with a palette cannot be decoded; its bits a pixel are", bits],
    )
    with tf.control_dependencies([known]):
        pixels = tf.io.decode_bmp(encoded)
    return tf.io.encode_png(pixels[..., :3])


def _starts_with(encoded: tf.Tensor, start: bytes) -> tf.Tensor:
    return tf.strings.substr(encoded, 0, len(start)) == start
