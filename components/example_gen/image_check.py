"""Every image is looked at before it is written: it is taken as it is, converted, or refused with a reason.

What TensorFlow reads properly in grey and in colour passes with its bytes untouched. TensorFlow itself is asked,
because it is stricter than PIL: of JPEGs and PNGs with random damage, PIL reads some that end a training. A JPEG is
decoded at an eighth of its size, which reads all of its data (and so finds the same damage) in 50% to 70% of the time
that a whole decoding takes; for a PNG there is nothing less. Cheaper checks (the header, `verify`, the end marker) see
no damage inside.

What TensorFlow would show wrongly or not at all is converted to what a viewer shows:

- A JPEG that its EXIF orientation turns becomes an upright JPEG of quality 95 with full chroma: 0.7 grey levels off on
  average. A PNG would be exact and six times as large, and phones turn many of their pictures.
- Everything else becomes an exact PNG, grey or RGB with 8 bits: transparency on white, the first picture of an
  animation, the high byte of 16 bits, print colours (CMYK) by PIL's formula.
"""

import dataclasses
import io
import re

import numpy as np
import PIL.Image
import PIL.ImageOps
import tensorflow as tf

# PIL's own limit, past which it refuses an image whatever it is asked.
MOST_PIXELS = 178_956_970

# No other plugin of PIL is ever entered: some of them start programs (EPS), or read what hardly anybody has tested.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_ORIENTATION = 0x0112
# An MPO is a JPEG with more pictures behind the first, as phones write it; decoders of JPEG read the first.
_WRITTEN_AS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png"}


class RefusedError(ValueError):
    """An image that is set aside: `reason` is a word to count by, `detail` says more."""

    def __init__(self, reason: str, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


@dataclasses.dataclass(frozen=True)
class Image:
    """A JPEG or PNG that can be written: `format` is jpeg or png; height and width in pixels."""

    encoded: bytes
    format: str
    height: int
    width: int


def checked(image: bytes, max_pixels: int) -> Image:
    """Returns `image` itself, or the JPEG or PNG that takes its place.

    Args:
      image: an encoded image of any format.
      max_pixels: height × width that is allowed; looked up in the header, before anything is decoded.

    Raises:
      RefusedError: it is empty, not_an_image, has too_many_pixels, is truncated, damaged or unsupported.
    """
    if not image:
        raise RefusedError("empty", "0 bytes")
    with _opened(image) as header:
        width, height = header.size
        if height * width > max_pixels:
            raise RefusedError("too_many_pixels", f"{height} × {width} pixels; max_pixels is {max_pixels}")
        if not (height and width):
            raise RefusedError("damaged", f"{height} × {width} pixels")
        try:
            converted = _converted(header)
        except RefusedError:
            raise
        except Exception as error:  # hostile files get all kinds of errors out of PIL
            raise _refusal(error) from error
    if converted is not None:
        return converted
    _decode(image, header.format, (height, width))
    return Image(image, _WRITTEN_AS[header.format], height, width)


def _opened(image: bytes) -> PIL.Image.Image:
    try:
        return PIL.Image.open(io.BytesIO(image), formats=_FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise RefusedError("too_many_pixels", str(error)) from error
    except PIL.UnidentifiedImageError as error:
        detail = f"{len(image)} bytes that begin with {image[:8]!r}"
        raise RefusedError("not_an_image", detail) from error
    except Exception as error:
        raise _refusal(error) from error


def _converted(image: PIL.Image.Image) -> Image | None:
    """Returns what takes the place of `image`, or None if TensorFlow shows it as it is."""
    turned = _is_turned(image)
    if _WRITTEN_AS.get(image.format) == "jpeg" and image.mode != "CMYK":
        if not turned:
            return None
        return _encoded(PIL.ImageOps.exif_transpose(image), "JPEG", quality=95, subsampling=0)
    if image.format == "PNG" and not turned and not _shows_through(image):
        return None
    return _encoded(_plain(PIL.ImageOps.exif_transpose(image) if turned else image), "PNG")


def _is_turned(image: PIL.Image.Image) -> bool:
    if not {"exif", "xmp"} & image.info.keys():
        return False
    try:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except Exception:  # a broken EXIF says nothing, and is no reason to refuse the image
        return False


def _shows_through(image: PIL.Image.Image) -> bool:
    if image.mode.startswith("I;16") or not image.has_transparency_data:
        return False
    return image.convert("RGBA").getchannel("A").getextrema()[0] < 255


def _plain(image: PIL.Image.Image) -> PIL.Image.Image:
    """Returns `image` in grey or RGB with 8 bits."""
    if image.mode.startswith("I;16"):
        return PIL.Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):  # no telling which value is white
        raise RefusedError("unsupported", f"{image.format} with pixels of mode {image.mode}")
    if image.has_transparency_data:
        grey = image.mode in ("1", "L", "LA", "La")
        image = image.convert("RGBA")
        white = PIL.Image.new("RGBA", image.size, "white")
        return PIL.Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _encoded(image: PIL.Image.Image, image_format: str, **options) -> Image:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return Image(file.getvalue(), _WRITTEN_AS[image_format], image.height, image.width)


def _decode(image: bytes, image_format: str, shape: tuple[int, int]) -> None:
    """Raises RefusedError unless TensorFlow decodes a JPEG or PNG to the (height, width) that its header says."""
    try:
        if _WRITTEN_AS[image_format] == "jpeg":
            found = tf.io.decode_jpeg(image, channels=3, ratio=8, dct_method="INTEGER_FAST").shape
            expected = tuple(-(-side // 8) for side in shape)
        else:
            found, expected = tf.io.decode_png(image, channels=3).shape, shape
    except tf.errors.OpError as error:
        with _opened(image) as opened:
            try:  # PIL says more
                opened.load()
            except Exception as own:
                raise _refusal(own) from error
        raise RefusedError("damaged", re.sub(r"\{\{.*?\}\}\s*|\s*\[Op:.*", "", error.message)) from error
    if tuple(found[:2]) != expected:
        raise RefusedError("damaged", f"the header says {shape[0]} × {shape[1]} pixels, the data others")


def _refusal(error: Exception) -> RefusedError:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, PIL.Image.DecompressionBombError):
        return RefusedError("too_many_pixels", text)
    truncated = isinstance(error, EOFError) or "truncated" in text.lower()
    return RefusedError("truncated" if truncated else "damaged", text)
