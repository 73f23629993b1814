"""What passes untouched, what is converted and to which pixels, and what is refused for which reason."""

import io
import subprocess
import sys
import zlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen import image_check
from pipeline import data_config

RED, GREEN, BLUE, WHITE = [200, 30, 10], [10, 220, 90], [0, 0, 255], [255, 255, 255]


def square() -> np.ndarray:
    """uint8 [32, 48, 3], whose four quarters differ: red and blue above, black and green below."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:], pixels[16:, 24:] = RED, BLUE, GREEN
    return pixels


PICTURE = PIL.Image.fromarray(square())


def encoded(image: PIL.Image.Image, image_format: str, orientation: int | None = None, **options) -> bytes:
    if orientation is not None:
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """Returns a PNG with any header and any data."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")
        for name, content in chunks
    )


def grey16() -> np.ndarray:
    return (np.arange(48).reshape(6, 8) * 1300).astype(np.uint16)


def clear_corner(mode: str) -> PIL.Image.Image:
    """The picture, transparent in its red quarter."""
    image = PICTURE.convert(mode)
    alpha = np.full((32, 48), 255, np.uint8)
    alpha[:16, :24] = 0
    image.putalpha(PIL.Image.fromarray(alpha))
    return image


def check(image: bytes, max_pixels: int = 10_000) -> image_check.Image:
    return image_check.checked(image, max_pixels)


def pixels_of(image: image_check.Image) -> np.ndarray:
    return tf.io.decode_image(image.encoded, expand_animations=False).numpy()


@pytest.mark.parametrize(
    ("image", "image_format", "shape"),
    [
        (encoded(PICTURE, "JPEG"), "jpeg", (32, 48)),
        (encoded(PICTURE, "JPEG", progressive=True, quality=30, comment=b"x"), "jpeg", (32, 48)),
        (encoded(PICTURE.convert("L"), "JPEG"), "jpeg", (32, 48)),
        (encoded(PICTURE, "JPEG", orientation=1), "jpeg", (32, 48)),
        (encoded(PICTURE, "JPEG", exif=b"Exif\0\0nonsense"), "jpeg", (32, 48)),
        (encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE]), "jpeg", (32, 48)),
        (encoded(PICTURE.resize((1, 1)), "JPEG"), "jpeg", (1, 1)),
        (encoded(PICTURE.resize((1, 1)), "PNG"), "png", (1, 1)),
        (encoded(PICTURE, "PNG"), "png", (32, 48)),
        (encoded(PICTURE.convert("1"), "PNG"), "png", (32, 48)),
        (encoded(PICTURE.quantize(8), "PNG"), "png", (32, 48)),
        (encoded(PIL.Image.fromarray(grey16()), "PNG"), "png", (6, 8)),
        (png(4, 3, 16, 2, (b"\0" + bytes(range(24))) * 3), "png", (3, 4)),
        (encoded(PICTURE.convert("RGBA"), "PNG"), "png", (32, 48)),
        (encoded(PICTURE.convert("LA"), "PNG"), "png", (32, 48)),
        (encoded(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]), "png", (32, 48)),
    ],
    ids=[
        *("jpeg", "progressive", "grey jpeg", "upright", "broken exif", "several pictures", "1x1 jpeg", "1x1", "png"),
        *("1 bit", "palette", "16 bits", "3 x 16 bits", "opaque alpha", "opaque grey alpha", "animated png"),
    ],
)
def test_what_tensorflow_shows_as_it_is_passes_untouched(image, image_format, shape):
    assert check(image) == image_check.Image(image, image_format, *shape)
    for channels in (1, 3):
        assert tf.io.decode_image(image, channels, expand_animations=False).shape == (*shape, channels)


CORNERS = [RED, BLUE, [0, 0, 0], GREEN]


@pytest.mark.parametrize(
    ("image", "corners"),
    [
        (encoded(PICTURE, "BMP"), CORNERS),
        (encoded(PICTURE, "GIF"), CORNERS),
        (encoded(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(180)]), CORNERS),
        (encoded(PICTURE, "WEBP", lossless=True), CORNERS),
        (encoded(PICTURE, "TIFF"), CORNERS),
        (encoded(PICTURE, "TIFF", compression="tiff_lzw"), CORNERS),
        (encoded(PICTURE, "PPM"), CORNERS),
        (encoded(PICTURE.convert("CMYK"), "JPEG", quality=100), CORNERS),
        (encoded(PICTURE.convert("CMYK"), "TIFF"), CORNERS),
        (encoded(clear_corner("RGB"), "PNG"), [WHITE, *CORNERS[1:]]),
        (encoded(clear_corner("RGB"), "WEBP", lossless=True), [WHITE, *CORNERS[1:]]),
        (encoded(PICTURE, "PNG", transparency=tuple(BLUE)), [RED, WHITE, *CORNERS[2:]]),
        (encoded(PICTURE, "PNG", orientation=3), CORNERS[::-1]),
        (encoded(PICTURE, "WEBP", lossless=True, orientation=3), CORNERS[::-1]),
    ],
    ids=[
        *("bmp", "gif", "animated gif", "webp", "tiff", "lzw", "ppm", "cmyk jpeg", "cmyk tiff", "alpha"),
        *("webp alpha", "colour key", "turned png", "turned webp"),
    ],
)
def test_what_is_converted_becomes_a_png_that_shows_the_same(image, corners):
    found = check(image)
    pixels = pixels_of(found)
    assert (found.format, found.height, found.width) == ("png", 32, 48) and pixels.shape == (32, 48, 3)
    places = [(0, 0), (0, 47), (31, 0), (31, 47)]
    assert (
        max(np.abs(pixels[place].astype(int) - corner).max() for place, corner in zip(places, corners, strict=True))
        <= 3
    )
    assert check(found.encoded) == found


def test_transparent_places_of_a_palette_are_white():
    image = PICTURE.quantize(8)
    red = image.getpixel((0, 0))
    for image_format in ("PNG", "GIF"):
        pixels = pixels_of(check(encoded(image, image_format, transparency=red)))
        assert (pixels[0, 0].tolist(), pixels[0, 47].tolist()) == (WHITE, BLUE)


def test_grey_stays_grey():
    pixels = pixels_of(check(encoded(clear_corner("L"), "PNG")))
    assert (
        pixels.shape == (32, 48, 1)
        and pixels[0, 0] == 255
        and pixels[31, 47] == PICTURE.convert("L").getpixel((47, 31))
    )


def test_of_16_bits_the_high_byte_stays():
    found = check(encoded(PIL.Image.fromarray(grey16()), "TIFF"))
    np.testing.assert_array_equal(pixels_of(found)[..., 0], grey16() >> 8)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_jpeg_becomes_an_upright_one(orientation):
    found = check(encoded(PICTURE, "JPEG", orientation=orientation, quality=95, subsampling=0))
    upright = {2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud, 5: lambda p: p.swapaxes(0, 1)}
    upright |= {6: lambda p: np.rot90(p, -1), 7: lambda p: np.rot90(p, 2).swapaxes(0, 1), 8: np.rot90}
    expected = upright[orientation](square()).astype(int)
    assert (found.format, found.height, found.width) == ("jpeg", *expected.shape[:2])
    assert np.abs(pixels_of(found) - expected).mean() < 2
    assert check(found.encoded) == found  # it says no longer that it is turned


def test_a_turned_grey_jpeg_stays_grey():
    assert pixels_of(check(encoded(PICTURE.convert("L"), "JPEG", orientation=6))).shape == (48, 32, 1)


def cut(image: bytes) -> bytes:
    return image[: len(image) * 3 // 5]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (b"", "empty"),
        (b"hello", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),  # PIL would start a program
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not_an_image"),
        (b"\x89PNG\r\n\x1a\n", "not_an_image"),
        (b"\xff\xd8\xff", "not_an_image"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\0IHDR\xa8\xa1\xae\x0a", "truncated"),
        (encoded(PICTURE, "ICO"), "not_an_image"),
        *((cut(encoded(PICTURE, kind)), "truncated") for kind in ("JPEG", "PNG", "BMP", "TIFF")),
        (cut(encoded(PICTURE, "JPEG", orientation=6)), "truncated"),
        (cut(encoded(PICTURE.convert("CMYK"), "JPEG")), "truncated"),
        (cut(encoded(clear_corner("RGB"), "PNG")), "truncated"),
        (cut(encoded(PICTURE, "WEBP")), "damaged"),
        (encoded(PICTURE, "PNG").replace(b"IDAT\x78", b"IDAT\x79"), "damaged"),
        (encoded(PIL.Image.fromarray(np.ones((3, 4), np.float32)), "TIFF"), "unsupported"),
        (png(101, 100, 8, 2, bytes(100)), "too_many_pixels"),
        (png(50_000, 50_000, 8, 2, bytes(100)), "too_many_pixels"),
        (encoded(PIL.Image.new("L", (10_001, 1)), "GIF"), "too_many_pixels"),
        (png(9, 9, 8, 2, bytes(9 * 28), (b"zTXt", b"k\0\0" + zlib.compress(bytes(100 << 20)))), "damaged"),
    ],
    ids=[
        *("nothing", "text", "postscript", "svg", "png signature", "jpeg marker", "empty header", "icon"),
        *("jpeg cut", "png cut", "bmp cut", "tiff cut", "turned cut", "cmyk cut", "alpha cut", "webp cut"),
        *("png damaged", "float", "too large", "bomb", "gif too large", "text bomb"),
    ],
)
def test_what_is_refused_and_why(image, reason):
    with pytest.raises(image_check.RefusedError) as refused:
        check(image)
    assert refused.value.reason == reason
    assert refused.value.detail and "\n" not in refused.value.detail


def test_the_limit_of_pixels_is_inclusive():
    image = encoded(PICTURE, "PNG")
    assert check(image, 32 * 48).encoded == image
    with pytest.raises(image_check.RefusedError) as refused:
        check(image, 32 * 48 - 1)
    assert refused.value.detail == "32 × 48 pixels; max_pixels is 1535"


def test_the_limits_of_the_configuration():
    field = data_config.FolderData.model_fields["max_pixels"]
    assert [limit.le for limit in field.metadata if hasattr(limit, "le")] == [image_check.MOST_PIXELS]
    assert field.default == image_check.MOST_PIXELS // 2 == PIL.Image.MAX_IMAGE_PIXELS


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_image_is_refused_or_read_by_tensorflow(data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"]))
    image = bytearray(encoded(PICTURE, kind))
    for place in data.draw(st.lists(st.integers(0, len(image) - 1), max_size=3)):
        image[place] = data.draw(st.integers(0, 255))
    image = bytes(image[: data.draw(st.integers(0, len(image)))])
    try:
        found = check(image)
    except image_check.RefusedError:
        return
    for channels in (1, 3):
        shape = tf.io.decode_image(found.encoded, channels, expand_animations=False).shape
        assert shape == (found.height, found.width, channels)


def test_a_bomb_takes_no_memory():
    """In a process of its own: 20 images that would have 150 MB each if anything decoded them."""
    code = """
import resource, zlib
from components.example_gen import image_check

def chunk(name, content):
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

def png(side):
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    stream = zlib.compressobj(9)
    data = b"".join(stream.compress(bytes(3 * side + 1)) for _ in range(side)) + stream.flush()
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

image_check.checked(png(100), 10**6)
bomb = png(7000)
before = peak()
reasons = set()
for _ in range(20):
    try:
        image_check.checked(bomb, 10**6)
    except image_check.RefusedError as error:
        reasons.add(error.reason)
refused = peak()
print(reasons, refused - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    reasons, grown = done.stdout.rsplit(" ", 1)
    assert reasons == "{'too_many_pixels'}"
    assert float(grown) < 5  # megabytes
