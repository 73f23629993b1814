import imagehash
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from components.example_gen.images import perceptual_hash


def bits(one: int, other: int) -> int:
    return bin(one ^ other).count("1")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK"])
def test_the_hashes_are_the_librarys(patch, mode):
    for i in range(0, 40, 3):
        image = patch(i).convert(mode)
        plain, flipped = perceptual_hash.hash_image(image)
        assert f"{plain:016x}" == str(imagehash.phash(image))
        assert f"{flipped:016x}" == str(imagehash.phash(PIL.ImageOps.mirror(image)))
        assert plain != flipped


def test_pixels_and_encoded_images(patch, encoded):
    image = patch(7)
    assert (
        perceptual_hash.hash_image(np.asarray(image))
        == perceptual_hash.hash_image(image)
        == perceptual_hash.hash_encoded_image(encoded(image))
    )


def test_a_large_jpeg_is_decoded_no_further_than_needed(patch, encoded):
    image = patch(3).resize((1024, 768))
    jpeg = encoded(image, "JPEG", quality=95)
    for draft, whole in zip(perceptual_hash.hash_encoded_image(jpeg), perceptual_hash.hash_image(image), strict=True):
        assert bits(draft, whole) <= 2


def test_sixteen_bits(patch):
    grey = np.asarray(patch(5).convert("L"))
    deep = PIL.Image.fromarray(grey.astype(np.uint16) * 257)
    assert deep.mode.startswith("I;16")
    assert perceptual_hash.hash_image(deep) == perceptual_hash.hash_image(grey)


@pytest.mark.parametrize("value", [0, 7, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (32, 32), (200, 150)])
def test_flat_images_have_none(encoded, value, size):
    flat = PIL.Image.new("L", size, value)
    assert perceptual_hash.hash_image(flat) == (None, None)
    assert perceptual_hash.hash_encoded_image(encoded(flat, "JPEG")) == (None, None)


def test_how_flat_is_flat():
    step = np.full((32, 32), 100, np.uint8)
    step[:, 16:] = 107
    assert perceptual_hash.hash_image(step) == (None, None)
    step[:, 16:] = 108
    assert None not in perceptual_hash.hash_image(step)


def test_what_cannot_be_decoded_has_none(patch, encoded):
    whole = encoded(patch(0))
    for broken in (b"", b"no image", whole[: len(whole) // 2]):
        assert perceptual_hash.hash_encoded_image(broken) == (None, None)
