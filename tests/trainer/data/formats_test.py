"""A served model sees what its training saw, of every kind of image."""

import functools
import io

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from components.example_gen.images import check
from components.orientation import turn
from trainer.data import formats, images
from trainer.models.backbone import ImageConfig

RANDOM = np.random.default_rng(3)
ROWS, COLUMNS = 34, 51


def picture(mode: str, rows: int = ROWS, columns: int = COLUMNS) -> PIL.Image.Image:
    """Returns soft noise in all channels, transparency included."""
    channels = len(PIL.Image.new(mode, (1, 1)).getbands())
    bands = RANDOM.integers(0, 256, (5, 7, channels), np.uint8)
    soft = [PIL.Image.fromarray(bands[..., i]).resize((columns, rows), 2) for i in range(channels)]
    return PIL.Image.merge(mode, soft)


def encode(image: PIL.Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def exif(value: int) -> PIL.Image.Exif:
    found = PIL.Image.Exif()
    found[0x0112] = value
    return found


def palette(transparent: bool = False) -> bytes:
    image = picture("RGB").quantize(16)
    return encode(image, "PNG", **({"transparency": bytes([0, 99, 255])} if transparent else {}))


def deep(channels: int) -> bytes:
    values = RANDOM.integers(0, 1 << 16, (ROWS, COLUMNS, channels), np.uint16)
    return tf.io.encode_png(values).numpy()


KINDS = {
    "JPEG": encode(picture("RGB"), "JPEG", quality=90),
    "grey JPEG": encode(picture("L"), "JPEG"),
    **{f"JPEG turned {value}": encode(picture("RGB", 80, 60), "JPEG", exif=exif(value)) for value in range(1, 9)},
    "large turned JPEG": encode(picture("RGB", 300, 420), "JPEG", exif=exif(6)),
    "CMYK": encode(picture("CMYK"), "JPEG"),
    "turned CMYK": encode(picture("CMYK"), "JPEG", exif=exif(8)),
    "PNG": encode(picture("RGB"), "PNG"),
    **{f"PNG turned {value}": encode(picture("RGB"), "PNG", exif=exif(value)) for value in range(1, 9)},
    "RGBA": encode(picture("RGBA"), "PNG"),
    "opaque RGBA": encode(picture("RGB").convert("RGBA"), "PNG"),
    "turned RGBA": encode(picture("RGBA"), "PNG", exif=exif(5)),
    "LA": encode(picture("LA"), "PNG"),
    "grey with a colour key": encode(picture("L"), "PNG", transparency=100),
    "RGB with a colour key": encode(picture("RGB").quantize(4).convert("RGB"), "PNG", transparency=(0, 0, 0)),
    "palette": palette(),
    "transparent palette": palette(transparent=True),
    "1 bit": encode(picture("L").convert("1"), "PNG"),
    "grey of 16 bits": deep(1),
    "RGB of 16 bits": deep(3),
    "RGBA of 16 bits": deep(4),
    "grey and alpha of 16 bits": deep(2),
    "GIF": encode(picture("RGB").quantize(64), "GIF"),
    "animation": encode(picture("L"), "GIF", save_all=True, append_images=[picture("L")]),
    "BMP": encode(picture("RGB"), "BMP"),
    "BMP of 32 bits": encode(picture("RGBA"), "BMP"),
}


@functools.cache
def training_and_serving(channels: int):
    """Returns (how a training decodes, how a served model does), each traced once."""
    image = ImageConfig(size=20, channels=channels)
    signature = [tf.TensorSpec([], tf.string)]
    return (
        tf.function(lambda encoded: images.decode(encoded, image), input_signature=signature),
        tf.function(lambda encoded: images.decode(formats.as_stored(encoded), image), input_signature=signature),
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_are_those_of_the_training(kind, channels):
    in_training, in_serving = training_and_serving(channels)
    checked = check.check_image(KINDS[kind], check.MOST_PIXELS)
    seen = in_training(tf.constant(checked.encoded)).numpy()
    assert np.ptp(seen) > 50
    np.testing.assert_array_equal(in_serving(tf.constant(KINDS[kind])), seen)


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_that_of_the_picture_as_it_is_shown(kind):
    checked = check.check_image(KINDS[kind], check.MOST_PIXELS)
    with PIL.Image.open(io.BytesIO(KINDS[kind])) as image:
        shown = PIL.ImageOps.exif_transpose(image)
    assert (checked.width, checked.height) == shown.size


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value", range(1, 9))
def test_what_is_turned_by_exif_is_seen_as_if_it_had_been_turned_before(value, channels):
    upright = picture("RGB", 40, 40)
    turned_back = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[value]
    stored = encode(turn(upright, turned_back), "PNG", exif=exif(value))
    in_training, in_serving = training_and_serving(channels)
    expected = in_training(tf.constant(encode(upright, "PNG"))).numpy()
    np.testing.assert_array_equal(in_serving(tf.constant(stored)), expected)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"", "Input is empty"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "Unknown image file format|Expected image"),
        (encode(picture("L"), "BMP"), "a BMP with a palette cannot be decoded"),
        (KINDS["PNG"][:400], "Invalid PNG"),
        (KINDS["JPEG"][:400], "Invalid JPEG"),
    ],
    ids=["empty", "WebP", "BMP of 8 bits", "cut PNG", "cut JPEG"],
)
def test_what_cannot_be_decoded_is_an_error(encoded, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        training_and_serving(3)[1](tf.constant(encoded))
