"""Images of 16 bits: how their values become the 8 bits that networks see.

With 'max', the high byte is kept: 65535 is white. With 'range', what lies between the least and the greatest value of
an image becomes 0 to 255; transparency keeps its high byte. Ingestion and the served model share what is here.
"""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import tensorflow as tf

Scale16Bit = Literal["max", "range"]
SCALES: tuple[Scale16Bit, ...] = ("max", "range")
_LEAST_SPAN = 16  # levels of 256; the high bytes of values of 8 and of 12 bits span fewer
_WHITE = 65535
_DEPTH = 24  # the place of the bits of a value in a PNG


def is_deep_png(encoded: bytes) -> bool:
    """Returns whether a PNG has 16 bits."""
    return encoded[_DEPTH : _DEPTH + 1] == b"\x10"


def is_flattened(least: int, most: int) -> bool:
    """Returns whether hardly anything is seen of the high bytes of values from `least` to `most`, which differ."""
    return least < most and (most >> 8) - (least >> 8) < _LEAST_SPAN


def stretch(values: Any, least: Any, span: Any) -> Any:
    """Returns integers from `least` to `least + span` as 0 to 255, rounded: arrays or tensors, of 32 bits.

    Args:
      values: int32.
      least: the least of them.
      span: the greatest minus the least, or 1 if they are equal.
    """
    return ((values - least) * 255 + span // 2) // span


def read_stretched(encoded: "tf.Tensor | bytes", channels: int) -> "tf.Tensor":
    """Returns the pixels of a PNG of 16 bits, uint8 [height, width, channels], stretched to its range.

    Args:
      encoded: string [].
      channels: 3 (RGB) or 4 (RGBA).
    """
    import tensorflow as tf  # here, because the configuration needs no more than the names above

    pixels = tf.cast(tf.io.decode_png(encoded, channels=channels, dtype=tf.uint16), tf.int32)
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    # The colours of what is transparent are never seen.
    seen = tf.broadcast_to(alpha > 0, tf.shape(colours)) if channels == 4 else tf.ones_like(colours, tf.bool)
    least = tf.reduce_min(tf.where(seen, colours, _WHITE))
    span = tf.reduce_max(tf.where(seen, colours, 0)) - least
    stretched = tf.clip_by_value(stretch(colours, least, tf.maximum(span, 1)), 0, 255)
    return tf.cast(tf.concat([stretched, alpha // 256], -1), tf.uint8)
