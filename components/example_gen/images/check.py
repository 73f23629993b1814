"""Every image is looked at before it is written: it is taken as it is, converted, or refused with a reason.

What TensorFlow reads properly in grey and in colour passes with its bytes untouched. TensorFlow itself is asked,
because it is stricter than PIL: of JPEGs and PNGs with random damage, PIL reads some that end a training. A JPEG is
decoded at an eighth of its size, which reads all of its data (and so finds the same damage) in 50% to 70% of the time
that a whole decoding takes; for a PNG there is nothing less. Cheaper checks (the header, `verify`, the end marker) see
no damage inside.

A JPEG that its EXIF turns keeps its bytes, too: training and serving turn it when they read it. What TensorFlow would
show wrongly or not at all becomes an exact PNG of what a viewer shows, grey or RGB with 8 bits: transparency on white,
a turned PNG upright, the first picture of an animation, the high byte of 16 bits (or all of their range, where that is
asked for), print colours (CMYK) as TensorFlow reads them. `trainer.data.formats` does the same for a served model.

Nothing takes more than its pixels may: what is read and what is written stand in memory once each.
"""

import dataclasses
import io
import re
import struct
from collections.abc import Iterator

import numpy as np
import PIL.Image
import PIL.ImageFile
import PIL.PngImagePlugin
import PIL.TiffImagePlugin
import tensorflow as tf

from components import deep_images
from components.deep_images import Scale16Bit
from components.orientation import TAG, read_orientation, turn

# PIL's own limit, past which it refuses an image whatever it is asked.
MOST_PIXELS = 178_956_970

# No other plugin of PIL is ever entered: some of them start programs (EPS), or read what hardly anybody has tested.
FORMATS = ("jpeg", "png", "gif", "bmp", "webp", "tiff", "ppm")
_TILE = 322, 323  # TIFF's tags for the width and height of a tile
# A scan of a few bytes may go over the whole picture again. Encoders write about ten; libtiff takes as many as this.
_MOST_SCANS = 100
_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")  # the others stand within the data of a scan, or have no length
_STRIP = 1 << 20  # pixels that are looked at together
# PIL refuses whole images for a text or colour profile above 1 MB. This is what libpng, and so TensorFlow, reads.
PIL.PngImagePlugin.MAX_TEXT_CHUNK = 8_000_000


class RefusedError(ValueError):
    """An image that is set aside: `reason` is a word to count by, `detail` says more."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclasses.dataclass(frozen=True)
class CheckedImage:
    """A JPEG or PNG that can be written.

    Attributes:
      encoded: its bytes.
      format: jpeg or png.
      height: pixels, of the picture as it is shown.
      width: pixels.
      original_format: of FORMATS, what it was read as.
      flattened: whether it has 16 bits, and hardly anything is seen of it, because its values are close together.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    original_format: str
    flattened: bool = False


def check_image(image: bytes, max_pixels: int, *, full: bool = True, scale_16_bit: Scale16Bit = "max") -> CheckedImage:
    """Returns `image` itself, or the JPEG or PNG that takes its place.

    Args:
      image: an encoded image of any format.
      max_pixels: height × width that is allowed; looked up in the header, before anything is decoded.
      full: whether to decode what is not converted; else damage behind its header is not seen.
      scale_16_bit: what becomes of 16 bits.

    Raises:
      RefusedError: it is empty, not_an_image, has too_many_pixels, too_many_scans or too_much_metadata, is truncated,
        damaged or unsupported.
    """
    if not image:
        raise RefusedError("empty", "0 bytes")
    with _open(image) as header:
        image_format, (width, height) = _format(header), header.size
        try:
            _check_cost(header, image, max_pixels)
            converted = _convert(header, image, scale_16_bit)
        except RefusedError:
            raise
        except Exception as error:  # hostile files get all kinds of errors out of PIL
            raise _refusal(error) from error
    del header  # it may hold the pixels
    if converted is not None:
        return converted
    flattened = full and _decode(image, image_format, (height, width))
    if image_format == "jpeg" and read_orientation(image) >= 5:
        height, width = width, height
    return CheckedImage(image, image_format, height, width, image_format, flattened)


def _open(image: bytes) -> PIL.ImageFile.ImageFile:
    try:
        return PIL.Image.open(io.BytesIO(image), formats=[name.upper() for name in FORMATS])
    except PIL.Image.DecompressionBombError as error:
        raise RefusedError("too_many_pixels", str(error)) from error
    except PIL.UnidentifiedImageError as error:
        detail = f"{len(image)} bytes that begin with {image[:8]!r}"
        raise RefusedError("not_an_image", detail) from error
    except Exception as error:
        raise _refusal(error) from error


def _format(image: PIL.ImageFile.ImageFile) -> str:
    # An MPO is a JPEG with more pictures behind the first, as phones write it; decoders of JPEG read the first.
    return "jpeg" if image.format == "MPO" else str(image.format).lower()


def _check_cost(image: PIL.ImageFile.ImageFile, encoded: bytes, max_pixels: int) -> None:
    """Raises RefusedError if decoding takes more memory or time than the pixels of an image may."""
    # A tile is decoded as a whole, however little of it is seen.
    tile = _tile(image, encoded) if isinstance(image, PIL.TiffImagePlugin.TiffImageFile) else (0, 0)
    for (width, height), what in ((image.size, ""), (tile, "tiles of ")):
        if height * width > max_pixels:
            raise RefusedError("too_many_pixels", f"{what}{height} × {width} pixels; max_pixels is {max_pixels}")
    if not all(image.size):
        raise RefusedError("damaged", f"{image.height} × {image.width} pixels")
    # Their decoder is written in Python: seconds a megapixel, during which no other thread runs.
    if image.format == "PPM" and image.tile[0][0] != "raw":
        raise RefusedError("unsupported", "PPM in plain text, or whose values have not 8 bits (or 16 in grey)")
    if "progressive" in image.info and (scans := _scans(encoded)) > _MOST_SCANS:
        raise RefusedError("too_many_scans", f"{scans} scans of the picture; at most {_MOST_SCANS} are read")


def _tile(tiff: PIL.TiffImagePlugin.TiffImageFile, encoded: bytes) -> tuple[int, int]:
    """Returns (width, height) of the tiles of a TIFF, or zeros if it has none."""
    tags = tiff.tag_v2
    number, first, size = ("Q", 8, 20) if tags._bigtiff else ("H", 2, 12)
    (entries,) = struct.unpack_from(tags._endian + number, encoded, tags.offset)
    named: np.ndarray = np.ndarray(entries, tags._endian + "u2", encoded, tags.offset + first, strides=size)
    if np.isin(named, _TILE).sum() > len(_TILE):  # of two PIL takes the last, and libtiff the first
        raise RefusedError("damaged", "the size of a tile stands in it several times")
    width, height = (int(np.max(tags.get(tag, 0))) for tag in _TILE)
    return width, height


def _scans(jpeg: bytes) -> int:
    """Returns the number of scans of a JPEG's first picture, or of what looks like any if that is few."""
    found = jpeg.count(_SCAN)
    if found <= _MOST_SCANS:
        return found
    scans, place = 0, 2
    while (segment := _SEGMENT.search(jpeg, place)) and segment[0] != _END:
        scans += segment[0] == _SCAN
        place = segment.end() + int.from_bytes(jpeg[segment.end() : segment.end() + 2], "big")
    return scans


def _convert(image: PIL.ImageFile.ImageFile, encoded: bytes, scale: Scale16Bit) -> CheckedImage | None:
    """Returns what takes the place of `image`, or None if it is read as it is."""
    turned, original = _orientation(image, encoded), _format(image)
    if original == "jpeg":
        return None if image.mode != "CMYK" else _encode(turn(_read_print_colours(encoded), turned), original)
    is_deep_png = original == "png" and deep_images.is_deep_png(encoded)
    picture = _read_deep(image, encoded, scale) if is_deep_png else image
    is_scaled = is_deep_png and scale == "range"
    if original == "png" and turned == 1 and not is_scaled and not _shows_through(picture):
        return None
    span, flattened = None, False
    if is_deep_png and not is_scaled:
        flattened = _is_flattened(tf.io.decode_png(encoded, channels=3, dtype=tf.uint16).numpy())
    elif _is_deep(image) and not is_scaled:
        least, most = _range(image)
        span = (least, max(most - least, 1)) if scale == "range" else None
        flattened = span is None and deep_images.is_flattened(least, most)
    return dataclasses.replace(_encode(_flatten(turn(picture, turned), span), original), flattened=flattened)


def _read_deep(image: PIL.ImageFile.ImageFile, encoded: bytes, scale: Scale16Bit) -> PIL.Image.Image:
    """Returns a PNG of 16 bits, of a mode with 8 bits if it is stretched to its range."""
    is_plain_grey = image.mode.startswith("I;16")  # a colour key of which counts for nothing, see `_shows_through`
    has_alpha = image.has_transparency_data and not is_plain_grey
    if scale == "max":  # PIL compares a colour key of 16 bits with pixels of 8
        has_key = has_alpha and image.mode == "RGB"
        return PIL.Image.fromarray(tf.io.decode_png(encoded, channels=4).numpy()) if has_key else image
    pixels = deep_images.read_stretched(encoded, 4 if has_alpha else 3).numpy()
    return PIL.Image.fromarray(pixels[..., 0].copy() if is_plain_grey else pixels)


def _is_flattened(pixels: np.ndarray) -> bool:
    return deep_images.is_flattened(int(pixels.min()), int(pixels.max()))


def _is_deep(image: PIL.Image.Image) -> bool:
    # PIL has mode I for a PGM whose white is 65535.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _range(image: PIL.Image.Image) -> tuple[int, int]:
    """Returns the least and the greatest value of an image in grey with 16 bits."""
    found = [(int(values.min()), int(values.max())) for values in (np.asarray(strip) for _, strip in _strips(image))]
    return min(least for least, _ in found), max(most for _, most in found)


def _read_print_colours(jpeg: bytes) -> PIL.Image.Image:
    return PIL.Image.fromarray(tf.io.decode_jpeg(jpeg, channels=3).numpy())


def _orientation(image: PIL.Image.Image, encoded: bytes) -> int:
    if image.format in ("JPEG", "MPO", "PNG"):
        return read_orientation(encoded)
    image.load()  # by which PIL turns a TIFF itself, and forgets that it was turned
    try:
        return image.getexif().get(TAG, 1)
    except Exception:  # a broken EXIF says nothing, and is no reason to refuse the image
        return 1


def _shows_through(image: PIL.Image.Image) -> bool:
    """Returns whether any pixel is transparent; of a colour key in grey with 2, 4 or 16 bits PIL does not tell."""
    if image.mode.startswith("I;16") or not image.has_transparency_data:
        return False
    return any(np.asarray(strip.convert("RGBA").getchannel("A")).min() < 255 for _, strip in _strips(image))


def _flatten(image: PIL.Image.Image, span: tuple[int, int] | None = None) -> PIL.Image.Image:
    """Returns `image` in grey or RGB with 8 bits.

    Args:
      image: as it is shown.
      span: the least of its values of 16 bits, and how far they reach, which become 0 to 255; None: their high bytes.
    """
    deep = _is_deep(image)
    if image.mode in ("I", "F") and not deep:  # no telling which value is white
        raise RefusedError("unsupported", f"{image.format} with pixels of mode {image.mode}")
    mode = "L" if deep or image.mode in ("1", "L", "LA", "La") else "RGB"
    if not deep and not image.has_transparency_data:
        return image if image.mode == mode else image.convert(mode)
    plain = PIL.Image.new(mode, image.size, "white")
    for top, strip in _strips(image):
        if deep:
            values = np.asarray(strip)
            small = values >> 8 if span is None else deep_images.stretch(values.astype(np.int32), *span)
            plain.paste(PIL.Image.fromarray(small.astype(np.uint8)), (0, top))
        else:
            strip = strip.convert("RGBA")
            plain.paste(strip, (0, top), strip)
    return plain


def _strips(image: PIL.Image.Image) -> Iterator[tuple[int, PIL.Image.Image]]:
    """Yields (first row, rows of `image`), so that what is made of all of them is never there at once."""
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _encode(image: PIL.Image.Image, original_format: str) -> CheckedImage:
    file = io.BytesIO()
    image.save(file, "png", icc_profile=None)  # which may be one of print colours
    return CheckedImage(file.getvalue(), "png", image.height, image.width, original_format)


def _decode(image: bytes, image_format: str, shape: tuple[int, int]) -> bool:
    """Returns whether a JPEG or PNG has 16 bits of which hardly anything is seen.

    Raises:
      RefusedError: TensorFlow does not decode it to the (height, width) that its header says.
    """
    is_deep = image_format == "png" and deep_images.is_deep_png(image)
    try:
        if image_format == "jpeg":
            found = tf.io.decode_jpeg(image, channels=3, ratio=8, dct_method="INTEGER_FAST").shape
            expected = tuple(-(-side // 8) for side in shape)
        else:
            pixels = tf.io.decode_png(image, channels=3, dtype=tf.uint16 if is_deep else tf.uint8)
            found, expected = pixels.shape, shape
    except tf.errors.OpError as error:
        with _open(image) as opened:
            try:  # PIL says more
                opened.load()
            except Exception as own:
                raise _refusal(own) from error
        raise RefusedError("damaged", re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", error.message)) from error
    if tuple(found[:2]) != expected:
        raise RefusedError("damaged", f"the header says {shape[0]} × {shape[1]} pixels, the data others")
    return is_deep and _is_flattened(pixels.numpy())


def _refusal(error: Exception) -> RefusedError:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, PIL.Image.DecompressionBombError):
        return RefusedError("too_many_pixels", text)
    if "data too large" in text or "text chunks" in text:
        return RefusedError("too_much_metadata", text)
    truncated = isinstance(error, EOFError) or "truncated" in text.lower()
    return RefusedError("truncated" if truncated else "damaged", text)
