"""Perceptual hashes: 64 bits that change little when an image is re-encoded, resized or made brighter. Pure.

The hash is `imagehash.phash`: which of the 8×8 lowest frequencies (DCT) of the image, in grey and at 32×32 pixels, are
above their median.
"""

import io

import imagehash
import numpy as np
import PIL.Image

from components.orientation import read_orientation, turn

_SIZE = 32  # pixels a side that phash looks at
_DRAFT = 4 * _SIZE  # JPEGs are decoded no further than this, which is where most of the time goes
_FLAT = 8  # grey levels of 256 that an image at 32×32 pixels has to span, or else it is flat


def hash_image(image: PIL.Image.Image | np.ndarray) -> tuple[int, int] | tuple[None, None]:
    """Returns the hash of an image and that of its mirror image (left to right), each of 64 bits.

    Of a flat image, one that is (nearly) of a single grey, both are None: its hash would be made of rounding errors, or
    be the same for all of them. Only equal bytes tell that two of those are the same.

    Args:
      image: a PIL image as it is stored, or uint8 pixels [height, width] or [height, width, 3].
    """
    if isinstance(image, np.ndarray):
        image = PIL.Image.fromarray(image)
    if image.mode.startswith("I;16"):  # which convert("L") would clip
        image = PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    # What phash does first, done once for both hashes: it leaves an image of this kind and size as it is.
    small = image.convert("L").resize((_SIZE, _SIZE), PIL.Image.Resampling.LANCZOS)
    if np.ptp(np.asarray(small)) < _FLAT:
        return None, None
    return _bits(small), _bits(small.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT))


def hash_encoded_image(encoded: bytes) -> tuple[int, int] | tuple[None, None]:
    """Returns the same for an encoded image; (None, None) too if its pixels cannot be decoded."""
    try:
        with PIL.Image.open(io.BytesIO(encoded)) as image:
            image.draft("L", (_DRAFT, _DRAFT))
            return hash_image(turn(image, read_orientation(encoded)))
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        return None, None


def _bits(image: PIL.Image.Image) -> int:
    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")
