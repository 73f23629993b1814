"""What passes untouched, what is converted and to which pixels, and what is refused for which reason."""

import dataclasses
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.example_gen.images import check as image_check
from pipeline.config import data

RED, GREEN, BLUE, WHITE = [200, 30, 10], [10, 220, 90], [0, 0, 255], [255, 255, 255]


def square() -> np.ndarray:
    """uint8 [32, 48, 3], whose four quarters differ: red and blue above, black and green below."""
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:16, :24], pixels[:16, 24:], pixels[16:, 24:] = RED, BLUE, GREEN
    return pixels


PICTURE = PIL.Image.fromarray(square())


def encoded(image: PIL.Image.Image, image_format: str, orientation: int | None = None, **options) -> bytes:
    if orientation is not None:
        options["exif"] = exif(orientation)
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, data: bytes, *more: tuple[bytes, bytes], behind=()) -> bytes:
    """Returns a PNG with any header and any data, and with more chunks before and behind the pixels."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([depth, colour, 0, 0, 0])
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress(data)), *behind, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")
        for name, content in chunks
    )


def picture_png(*more: tuple[bytes, bytes], behind=()) -> bytes:
    """Returns the picture as a PNG with more chunks before and behind the pixels."""
    return png(48, 32, 8, 2, b"".join(b"\0" + row.tobytes() for row in square()), *more, behind=behind)


def exif(orientation: int) -> bytes:
    tags = PIL.Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def raw_profile(content: bytes) -> bytes:
    """Returns what ImageMagick writes of an EXIF."""
    return b"Raw profile type exif\0\0" + zlib.compress(
        b"\nexif\n%8d\n" % len(content) + content.hex().encode() + b"\n"
    )


def tiff(*tiles: int) -> bytes:
    """Returns a deflated TIFF of 10 × 10 pixels in square tiles, whose size it says as often as there are values."""
    data = zlib.compress(bytes(range(256)) * (tiles[0] ** 2 // 256))
    tags = [(256, 10), (257, 10), (258, 8), (259, 8), (262, 1), (277, 1)]
    tags += [(tag, side) for tag in (322, 323) for side in tiles] + [(324, 8), (325, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<4sI", b"II*\0", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def progressive(scans: int) -> bytes:
    """Returns a progressive JPEG whose last scan is there again and again."""
    image = encoded(PIL.Image.new("L", (48, 32)), "JPEG", progressive=True)
    first = image.count(b"\xff\xda")
    return image[:-2] + image[image.rindex(b"\xff\xda") : -2] * (scans - first) + image[-2:]


def grey16() -> np.ndarray:
    return (np.arange(48).reshape(6, 8) * 1300).astype(np.uint16)


def clear_corner(mode: str) -> PIL.Image.Image:
    """The picture, transparent in its red quarter."""
    image = PICTURE.convert(mode)
    alpha = np.full((32, 48), 255, np.uint8)
    alpha[:16, :24] = 0
    image.putalpha(PIL.Image.fromarray(alpha))
    return image


def check(image: bytes, max_pixels: int = 10_000) -> image_check.CheckedImage:
    return image_check.check_image(image, max_pixels)


def pixels_of(image: image_check.CheckedImage) -> np.ndarray:
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
        (progressive(100), "jpeg", (32, 48)),
        (encoded(PICTURE, "JPEG", progressive=True, comment=b"\xff\xda" * 101), "jpeg", (32, 48)),
        (encoded(PICTURE, "JPEG", progressive=True) + b"\xff\xda" * 101, "jpeg", (32, 48)),
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
        (picture_png(behind=[(b"eXIf", exif(1)[6:])]), "png", (32, 48)),
        (picture_png((b"zTXt", b"k\0\0" + zlib.compress(bytes(7 << 20)))), "png", (32, 48)),
        (picture_png((b"iCCP", b"k\0\0" + zlib.compress(bytes(7 << 20)))), "png", (32, 48)),
    ],
    ids=[
        *("jpeg", "progressive", "grey jpeg", "upright", "broken exif", "several pictures", "100 scans", "comment"),
        *("behind the end", "1x1 jpeg", "1x1", "png", "1 bit", "palette", "16 bits", "3 x 16 bits", "opaque alpha"),
        *("opaque grey alpha", "animated png", "upright png", "large text", "large profile"),
    ],
)
def test_what_tensorflow_shows_as_it_is_passes_untouched(image, image_format, shape):
    assert check(image) == image_check.CheckedImage(image, image_format, *shape, image_format)
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
        (encoded(PICTURE, "TIFF", big_tiff=True), CORNERS),
        (encoded(PICTURE, "PPM"), CORNERS),
        (encoded(PICTURE.convert("CMYK"), "JPEG", quality=100), CORNERS),
        (encoded(PICTURE.convert("CMYK"), "TIFF"), CORNERS),
        (encoded(clear_corner("RGB"), "PNG"), [WHITE, *CORNERS[1:]]),
        (encoded(clear_corner("RGB"), "WEBP", lossless=True), [WHITE, *CORNERS[1:]]),
        (encoded(PICTURE, "PNG", transparency=tuple(BLUE)), [RED, WHITE, *CORNERS[2:]]),
        (encoded(PICTURE, "PNG", orientation=3), CORNERS[::-1]),
        (picture_png(behind=[(b"eXIf", exif(3)[6:])]), CORNERS[::-1]),
        (encoded(PICTURE, "WEBP", lossless=True, orientation=3), CORNERS[::-1]),
    ],
    ids=[
        *("bmp", "gif", "animated gif", "webp", "tiff", "lzw", "big tiff", "ppm", "cmyk jpeg", "cmyk tiff", "alpha"),
        *("webp alpha", "colour key", "turned png", "turned behind", "turned webp"),
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
    assert found.original_format == PIL.Image.open(io.BytesIO(image)).format.lower()
    assert check(found.encoded) == dataclasses.replace(found, original_format="png")


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


@pytest.mark.parametrize(
    "image",
    [
        encoded(PIL.Image.fromarray(grey16()), "TIFF"),
        encoded(PIL.Image.fromarray(grey16().astype(">u2")), "TIFF"),
        b"P5 8 6 65535\n" + grey16().astype(">u2").tobytes(),
    ],
    ids=["tiff", "big-endian tiff", "pgm"],
)
def test_of_16_bits_the_high_byte_stays(image):
    np.testing.assert_array_equal(pixels_of(check(image))[..., 0], grey16() >> 8)


def test_half_transparent_pixels_are_mixed_with_white_all_over_a_large_picture():
    """Larger than the strips that it is worked on in, with a palette of two: opaque black, and red with alpha 51."""
    image = PIL.Image.new("P", (1500, 1000))
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (0, 990, 1500, 1000))
    pixels = pixels_of(check(encoded(image, "PNG", transparency=bytes([255, 51])), 1_500_000))
    assert np.unique(pixels[:990]).tolist() == [0]
    assert np.unique(pixels[990:].reshape(-1, 3), axis=0).tolist() == [[255, 204, 204]]


def test_16_bits_all_over_a_large_picture():
    grey = np.arange(1_500_000, dtype=np.uint32).reshape(1000, 1500).astype(np.uint16)
    pixels = pixels_of(check(encoded(PIL.Image.fromarray(grey), "TIFF"), 1_500_000))
    np.testing.assert_array_equal(pixels[..., 0], grey >> 8)


def test_a_tiled_tiff():
    pixels = pixels_of(check(tiff(16)))
    assert pixels.shape == (10, 10, 1) and pixels[1, :3, 0].tolist() == [16, 17, 18]


def test_no_profile_of_print_colours_stays_at_a_picture_in_rgb():
    found = check(encoded(PICTURE.convert("CMYK"), "JPEG", icc_profile=bytes(12) + b"prtrCMYKLab " + bytes(104)))
    assert PIL.Image.open(io.BytesIO(found.encoded)).info == {}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_turned_jpeg_keeps_its_bytes_and_has_the_size_that_is_shown(orientation, mode):
    image = encoded(PICTURE.convert(mode), "JPEG", orientation=orientation)
    size = (32, 48) if orientation < 5 else (48, 32)
    assert check(image) == image_check.CheckedImage(image, "jpeg", *size, "jpeg")


@pytest.mark.parametrize("behind", [False, True])
def test_a_profile_in_a_text_turns_no_png(behind):
    chunk = (b"zTXt", raw_profile(exif(3)))
    image = picture_png(behind=[chunk]) if behind else picture_png(chunk)
    assert check(image).encoded == image


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
        (tiff(112), "too_many_pixels"),
        (tiff(112, 16), "damaged"),
        (progressive(101), "too_many_scans"),
        (picture_png((b"zTXt", b"k\0\0" + zlib.compress(bytes(100 << 20)))), "too_much_metadata"),
        (picture_png((b"iCCP", b"k\0\0" + zlib.compress(bytes(100 << 20)))), "too_much_metadata"),
        (picture_png(*[(b"zTXt", b"k\0\0" + zlib.compress(bytes(7 << 20)))] * 10), "too_much_metadata"),
        *((b"P%d 2 1 1\n%s" % (kind, b"1 0 1 0 1 0"), "unsupported") for kind in (1, 2, 3)),
        (b"P6 1 1 100\n\1\2\3", "unsupported"),
    ],
    ids=[
        *("nothing", "text", "postscript", "svg", "png signature", "jpeg marker", "empty header", "icon"),
        *("jpeg cut", "png cut", "bmp cut", "tiff cut", "turned cut", "cmyk cut", "alpha cut", "webp cut"),
        *(
            "png damaged",
            "float",
            "too large",
            "bomb",
            "gif too large",
            "tile bomb",
            "two sizes of a tile",
            "101 scans",
        ),
        *("text bomb", "profile bomb", "many texts", "plain pbm", "plain pgm", "plain ppm", "ppm with another maximum"),
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
    field = data._Data.model_fields["max_pixels"]
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


def growth(times: int, side: int, colour: int, pixel: bytes, max_pixels: int, *more: tuple[bytes, bytes]) -> list[str]:
    """Returns, of a process that checks a PNG `times` times: what came out, and the megabytes that it grew by."""
    code = f"""
import resource, zlib
from components.example_gen.images import check as image_check

def chunk(name, content):
    return len(content).to_bytes(4, "big") + name + content + zlib.crc32(name + content).to_bytes(4, "big")

def png(side):
    header = side.to_bytes(4, "big") * 2 + bytes([8, {colour}, 0, 0, 0])
    stream = zlib.compressobj(9)
    data = b"".join(stream.compress(b"\\0" + {pixel!r} * side) for _ in range(side)) + stream.flush()
    chunks = [(b"IHDR", header), *{more!r}, (b"IDAT", data), (b"IEND", b"")]
    return b"\\x89PNG\\r\\n\\x1a\\n" + b"".join(chunk(*named) for named in chunks)

def check(image, max_pixels):
    try:
        return image_check.check_image(image, max_pixels).format
    except image_check.RefusedError as error:
        return error.reason

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

check(png(100), 10**6)
image = png({side})
before = peak()
print({{check(image, {max_pixels}) for _ in range({times})}}, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.rsplit(" ", 1)


def test_a_bomb_takes_no_memory():
    """20 images that would have 150 MB each if anything decoded them."""
    reasons, grown = growth(20, 7000, 2, b"\0\0\0", 10**6)
    assert reasons == "{'too_many_pixels'}"
    assert float(grown) < 5  # megabytes


@pytest.mark.parametrize(
    ("colour", "pixel", "more", "most"),
    [
        (3, b"\0", [(b"PLTE", bytes(3)), (b"tRNS", b"\x10")], 36 + 144),
        (6, b"\0\0\0\x10", [], 144 + 144),
        (6, b"\0\0\0\xff", [], 144),
    ],
    ids=["palette", "alpha", "opaque"],
)
def test_an_image_is_in_memory_once_as_read_and_once_as_written(colour, pixel, more, most):
    """36 million pixels; PIL takes 4 bytes for one in colour, TensorFlow 3."""
    formats, grown = growth(1, 6000, colour, pixel, 6000**2, *more)
    assert formats == "{'png'}"
    assert float(grown) < most  # megabytes
