"""Draws the images of `printed_glyphs`: a character in a random font, distorted, as a small light-on-dark scan.

An image depends only on (seed, split, label, index), so that any process may draw any of them in any order. Its bytes
are the same wherever the versions of numpy, Pillow and matplotlib are.
"""

import functools
import io
import math
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from components.example_gen.builders.glyph_alphabet import CHARACTERS

SPLITS = ("train", "eval")
SIZE = 32  # pixels, height and width
EVAL_IMAGES = 15  # a label
MIN_TRAIN_IMAGES, MAX_TRAIN_IMAGES = 60, 140  # a label

# Named one by one: what else matplotlib may ship one day must not change the data.
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique"),
    *("DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique"),
    *("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
)

_SEED = 0
_EM = 48  # pixels: outlines are drawn about half as large again as they end up, then shrunk by the affine map
_CAPITAL = 36  # pixels: about the height of a capital letter
_STROKES = (0, 1, 2)  # pixels added around the outline
_CANVAS = 160  # pixels, wide enough for the widest character and its stroke
_ORIGIN = (40, 100)  # pixels: where the baseline starts on the canvas
_BOTTLENECK_SHARE = 0.6


def counts(split: str) -> np.ndarray:
    """Number of images of every label: int64[770], 15 each in `eval`, uniform in [60, 140] in `train`.

    Raises:
      ValueError: the split does not exist.
    """
    _split_number(split)
    if split == "eval":
        return np.full(len(CHARACTERS), EVAL_IMAGES)
    # Numpy pads a short seed with zeros: this one is of a third split, and so no image's.
    rng = np.random.default_rng([_SEED, len(SPLITS)])
    return rng.integers(MIN_TRAIN_IMAGES, MAX_TRAIN_IMAGES + 1, size=len(CHARACTERS))


def images_of_label(label: int, split: str, count: int) -> list[bytes]:
    """Returns the first `count` images of a label, as PNG files of 32×32 grey pixels.

    Raises:
      ValueError: the label or the split does not exist, or no font has the character.
    """
    if not 0 <= label < len(CHARACTERS):
        raise ValueError(f"label: {label} is not one of 0, …, {len(CHARACTERS) - 1}")
    seed = [_SEED, _split_number(split), label]
    return [_image(CHARACTERS[label], [*seed, index]) for index in range(count)]


def check_fonts() -> None:
    """Finds out before the first image is drawn whether the last one can be.

    Raises:
      ValueError: a font is not there, or no font has one of the 770 characters.
    """
    for character in CHARACTERS:
        fonts_of(character)


def fonts_of(character: str) -> list[str]:
    """Returns the paths of the fonts that have a character.

    Raises:
      ValueError: none has, or one of the fonts is not there.
    """
    paths = [path for path, code_points in _code_points().items() if ord(character) in code_points]
    if not paths:
        raise ValueError(
            f"fonts: none of {', '.join(FONTS)} has the character {character!r} (U+{ord(character):04X}); "
            "printed_glyphs needs the fonts as matplotlib 3.10 ships them"
        )
    return paths


def _split_number(split: str) -> int:
    if split not in SPLITS:
        raise ValueError(f"split: {split!r} is not one of {', '.join(SPLITS)}")
    return SPLITS.index(split)


@functools.cache
def _code_points() -> dict[str, frozenset[int]]:
    """Path of each font → the code points it has glyphs for."""
    import matplotlib  # only here: it takes a quarter of a second
    from matplotlib.ft2font import FT2Font

    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    paths = [folder / f"{name}.ttf" for name in FONTS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise ValueError(f"fonts: {', '.join(missing)} not in {folder}; install matplotlib from PyPI, which has them")
    return {str(path): frozenset(FT2Font(str(path)).get_charmap()) for path in paths}


def _image(character: str, seed: list[int]) -> bytes:
    rng = np.random.default_rng(seed)
    fonts = fonts_of(character)
    ink, box = _ink(character, fonts[rng.integers(len(fonts))], _STROKES[rng.integers(len(_STROKES))])
    file = io.BytesIO()
    _scan(_distorted(ink, box, rng), rng).save(file, "PNG", compress_level=1)
    return file.getvalue()


@functools.cache
def _font(path: str) -> ImageFont.FreeTypeFont:
    # The basic layout, because Raqm is not in every build of Pillow and would shape Arabic in its own way.
    return ImageFont.truetype(path, _EM, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=64)  # more than one label's fonts × strokes: drawing an outline is the slowest step
def _ink(character: str, font: str, stroke: int) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """A character in white on black, and where it is: left, top, right, bottom."""
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    ImageDraw.Draw(canvas).text(_ORIGIN, character, fill=255, font=_font(font), anchor="ls", stroke_width=stroke)
    box = canvas.getbbox()
    if box is None:
        raise ValueError(f"fonts: {font} has a blank for {character!r} (U+{ord(character):04X})")
    return canvas, box


def _distorted(ink: Image.Image, box: tuple[int, int, int, int], rng: np.random.Generator) -> Image.Image:
    """The ink in the middle of 32×32 pixels, scaled, sheared, rotated and shifted at random."""
    left, top, right, bottom = box
    extent = max(right - left, bottom - top)
    # What is larger than a capital is shrunk to fit; what is smaller grows by half of what it lacks, so that a small
    # letter stays smaller than its capital and yet survives the bottleneck.
    zoom = rng.uniform(21, 27) / max(extent, math.sqrt(_CAPITAL * extent))
    scale_x, scale_y = zoom * rng.uniform(0.8, 1.1), zoom * rng.uniform(0.9, 1.1)
    angle, shear = rng.normal(0, 0.12), rng.normal(0, 0.15)
    x, y = SIZE / 2 + rng.uniform(-2, 2, size=2)
    # Pillow wants the inverse, from the result to the ink: scale⁻¹ · shear⁻¹ · rotation⁻¹.
    cos, sin = math.cos(angle), math.sin(angle)
    a, b = (cos + shear * sin) / scale_x, (sin - shear * cos) / scale_x
    d, e = -sin / scale_y, cos / scale_y
    c, f = (left + right) / 2 - a * x - b * y, (top + bottom) / 2 - d * x - e * y
    return ink.transform((SIZE, SIZE), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC)


def _scan(ink: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The ink as if scanned: often at a low resolution, on a ground that is not quite black, with noise."""
    if rng.random() < _BOTTLENECK_SHARE:
        side = int(rng.integers(8, 21))
        ink = ink.resize((side, side), Image.Resampling.BOX).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    background = 80 * rng.random() ** 2
    contrast = rng.uniform(96, 255 - background)
    noise = rng.uniform(0, 10) * rng.standard_normal((SIZE, SIZE))
    pixels = background + contrast / 255 * np.asarray(ink) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
