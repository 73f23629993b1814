"""How EXIF says that an image is turned: 1 to 8, by the TIFF standard; 1 is upright. Pure.

Read as browsers do: from the segments at the start of a JPEG (EXIF 2.32, section 4.5.4, wants it to be the first), and
from the chunk eXIf of a PNG. Other places that some programs write to (XMP, text chunks) count for nothing.
`trainer.data.orientation` reads the same in TensorFlow.
"""

import struct

import PIL.Image

TAG = 0x0112
_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
MOST_BYTES = 1 << 16  # that a segment of a JPEG has
_EXIF = b"Exif\0\0"


def read_orientation(encoded: bytes) -> int:
    """Returns the orientation of an encoded image; 1 if it does not say, or if what it says is broken."""
    if encoded.startswith(_JPEG):
        return _orientation(_exif_of_jpeg(encoded))
    return _orientation(_exif_of_png(encoded)) if encoded.startswith(_PNG) else 1


def turn(image: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    """Returns `image`, stored with an `orientation`, as it is shown."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _exif_of_jpeg(jpeg: bytes) -> bytes:
    place = 2
    while place + 10 <= len(jpeg) and jpeg[place] == 0xFF and 0xE0 <= jpeg[place + 1] <= 0xEF:
        size = int.from_bytes(jpeg[place + 2 : place + 4], "big")
        if jpeg[place + 1] == 0xE1 and jpeg.startswith(_EXIF, place + 4):
            return jpeg[place + 10 : place + 2 + size]
        place += 2 + max(size, 2)
    return b""


def _exif_of_png(png: bytes) -> bytes:
    place = len(_PNG)
    while place + 8 <= len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        if png.startswith(b"eXIf", place + 4):
            return png[place + 8 : place + 8 + min(size, MOST_BYTES)]
        place += 12 + size
    return b""


def _orientation(tiff: bytes) -> int:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order is None:
            return 1
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for entry in range(first + 2, first + 2 + 12 * count, 12):
            tag, value = struct.unpack_from(f"{order}H6xH2x", tiff, entry)
            if tag == TAG:
                return value if 1 <= value <= 8 else 1
    except struct.error:  # it ends before
        pass
    return 1
