"""What `components.orientation` says, in TensorFlow, so that a served model turns a picture as its training did."""

import tensorflow as tf

from components.orientation import MOST_BYTES, TAG
from trainer.data.branches import set_apart

_APP0, _APP1, _APP15 = 0xE0, 0xE1, 0xEF
_EXIF = list(b"Exif\0\0")
# The start of a JPEG and of its segment JFIF. In most it is the only one of its kind, and no EXIF is there: behind it
# stand tables, the frame or a comment.
_JFIF, _AFTER_JFIF = b"\xff\xd8\xff\xe0\0\x10", 20
_OTHERS = [b"\xff\xdb", b"\xff\xc4", b"\xff\xc0", b"\xff\xc2", b"\xff\xdd", b"\xff\xfe"]
_ENTRY = 12  # bytes of a tag in a TIFF


def of_jpeg(jpeg: tf.Tensor) -> tf.Tensor:
    """Returns the orientation, int32 [] from 1 to 8, of a JPEG, string []."""
    end = tf.strings.length(jpeg)

    def step(place: tf.Tensor, exif: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, ...]:
        segment = tf.ensure_shape(_bytes(jpeg, place, 10), [10])
        is_app = (segment[0] == 0xFF) & (segment[1] >= _APP0) & (segment[1] <= _APP15)
        is_exif = is_app & (segment[1] == _APP1) & tf.reduce_all(segment[4:] == _EXIF)
        length = tf.maximum(segment[2] * 256 + segment[3], 2)
        following = tf.where(is_app & ~is_exif, place + 2 + length, end)
        return following, tf.where(is_exif, place + 10, exif), tf.where(is_exif, length - 8, size)

    def look() -> tf.Tensor:
        _, exif, size = tf.while_loop(lambda place, *_: place + 10 <= end, step, (2, -1, 0))
        return _of_exif(jpeg, exif, size)

    return tf.cond(is_without_exif(jpeg), lambda: 1, set_apart(look))


def is_without_exif(jpegs: tf.Tensor) -> tf.Tensor:
    """Returns which JPEGs, string [...], have no EXIF, as their first bytes show; those of others show it seldom."""
    size = _AFTER_JFIF + 2
    heads = tf.strings.join([tf.strings.substr(jpegs, 0, size), "\0" * size])  # which may be shorter
    is_alone = tf.reduce_any(tf.strings.substr(heads, _AFTER_JFIF, 2)[..., None] == _OTHERS, -1)
    return (tf.strings.substr(heads, 0, len(_JFIF)) == _JFIF) & is_alone


def of_png(png: tf.Tensor) -> tf.Tensor:
    """Returns the orientation, int32 [] from 1 to 8, of a PNG, string []."""
    return _of_exif(png, *find_chunk(png, "eXIf"))


def find_chunk(png: tf.Tensor, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns (place, size), int32 [], of what is in a PNG's first chunk of that name; the place is -1 without one."""
    end = tf.strings.length(png)

    def step(place: tf.Tensor, found: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, ...]:
        length = _number(_bytes(png, place, 4), False)
        is_it = tf.strings.substr(png, place + 4, 4) == name
        # What is longer than the file, or would be negative as an int32, ends the search.
        fits = (length >= 0) & (length < end - place)
        following = tf.where(is_it | ~fits, end, place + 12 + length)
        found_size = tf.where(length < 0, MOST_BYTES, length)
        return following, tf.where(is_it, place + 8, found), tf.where(is_it, found_size, size)

    _, found, size = tf.while_loop(lambda place, *_: place + 8 <= end, step, (8, -1, 0))
    return found, size


def turn(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Returns pixels [height, width, channels], stored with an `orientation`, as they are shown."""
    ways = [
        lambda: pixels,
        lambda: pixels[:, ::-1],
        lambda: pixels[::-1, ::-1],
        lambda: pixels[::-1],
        lambda: tf.transpose(pixels, [1, 0, 2]),
        lambda: tf.transpose(pixels, [1, 0, 2])[:, ::-1],
        lambda: tf.transpose(pixels, [1, 0, 2])[::-1, ::-1],
        lambda: tf.transpose(pixels, [1, 0, 2])[::-1],
    ]
    return tf.cond(orientation == 1, ways[0], lambda: tf.switch_case(orientation - 1, ways))


def stored_window(
    begin: tf.Tensor, extent: tf.Tensor, shape: tf.Tensor, orientation: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where the window (begin, extent) of an image as it is shown lies in the image as it is stored.

    Args:
      begin, extent, shape: int32 [2], (rows, columns); `shape` is that of the image as it is shown.
      orientation: int32 [].
    """
    from_end = shape - begin - extent
    is_any = lambda *values: tf.reduce_any(orientation == list(values))  # noqa: E731
    rows = tf.where(is_any(3, 4, 7, 8), from_end[0], begin[0])
    columns = tf.where(is_any(2, 3, 6, 7), from_end[1], begin[1])
    is_transposed = orientation >= 5
    return (
        tf.where(is_transposed, tf.stack([columns, rows]), tf.stack([rows, columns])),
        tf.where(is_transposed, extent[::-1], extent),
    )


def _of_exif(encoded: tf.Tensor, place: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    def look() -> tf.Tensor:
        tiff = _bytes(encoded, place, tf.clip_by_value(size, 0, MOST_BYTES))
        end = tf.shape(tiff)[0]
        # Zeros behind it, so that what points behind the end reads as nothing.
        tiff = tf.concat([tiff, tf.zeros([_ENTRY], tf.int32)], 0)
        is_little = tf.reduce_all(tiff[:4] == [0x49, 0x49, 42, 0])
        is_big = tf.reduce_all(tiff[:4] == [0x4D, 0x4D, 0, 42])
        first = tf.clip_by_value(_number(tiff[4:8], is_little), 0, end)
        count = tf.minimum(_number(tiff[first : first + 2], is_little), (end - first - 2) // _ENTRY)
        entries = tf.reshape(tiff[first + 2 : first + 2 + _ENTRY * tf.maximum(count, 0)], [-1, _ENTRY])
        values = _number(entries[:, 8:10], is_little)
        found = tf.boolean_mask(values, _number(entries[:, :2], is_little) == TAG)
        value = tf.concat([found, [1]], 0)[0]
        return tf.where((is_little | is_big) & (value >= 1) & (value <= 8), value, 1)

    return tf.cond(place < 0, lambda: 1, look)


def _bytes(encoded: tf.Tensor, place: tf.Tensor | int, size: tf.Tensor | int) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(tf.strings.substr(encoded, place, size), tf.uint8), tf.int32)


def _number(digits: tf.Tensor, is_little: tf.Tensor | bool) -> tf.Tensor:
    """Returns the numbers whose bytes are `digits`, int32 [..., n]; those above 2³¹ are negative."""
    digits = tf.where(is_little, tf.reverse(digits, [-1]), digits)
    places = tf.range(tf.shape(digits)[-1])
    return tf.reduce_sum(tf.bitwise.left_shift(digits, 8 * places[::-1]), -1)
