"""Writes thumbnails of a sample of the data, and a page that shows them by label."""

import html
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence

import PIL.Image
import tensorflow as tf

from components.example_gen.examples import Indexed
from components.orientation import read_orientation, turn

_SIZE = 128  # pixels of the longer side
_SHOWN_LABELS, _SHOWN_IMAGES = 40, 6  # labels a side, images a label
_PAGE = "index.html"
_GENERATOR = '<meta name="generator" content="specialist data">'
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8">{generator}<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #222 }}
section {{ display: flex; flex-wrap: wrap; gap: 1rem 2rem }}
h2 {{ margin-top: 2.5rem }} h3 {{ font-size: 1rem; font-weight: 600; margin: 0 0 .3rem }}
div {{ max-width: 440px }} img {{ max-height: 64px; border: 1px solid #ddd; margin-right: 4px; vertical-align: top }}
</style>
<h1>{title}</h1>
"""


def check(folder: str) -> None:
    """Raises a ValueError if `folder` exists, is not empty and was not written by this module."""
    path = pathlib.Path(folder)
    page = path / _PAGE
    is_empty = path.is_dir() and not any(path.iterdir())
    is_own = page.is_file() and _GENERATOR in page.read_text(encoding="utf-8", errors="replace")
    if path.exists() and not (is_empty or is_own):
        raise ValueError(f"--thumbnails: {folder!r} exists, and this command did not write it; name another folder")


def write(folder: str, title: str, data: Mapping[str, tuple[Sequence[str], Iterable[Indexed]]]) -> str:
    """Writes thumbnails of each side and a page that shows them: everything at once, or nothing.

    Args:
      folder: folder to create; one that this function wrote before is replaced.
      title: title of the page.
      data: name → (names of its labels, examples).

    Returns:
      The path of the page.

    Raises:
      ValueError: `folder` exists and is not of this function, or cannot be written.
    """
    check(folder)
    target = pathlib.Path(folder).absolute()
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        body = "".join(_write_side(temporary, name, *side) for name, side in data.items())
        (temporary / _PAGE).write_text(
            _HEAD.format(generator=_GENERATOR, title=html.escape(title)) + body, encoding="utf-8"
        )
        if target.exists():
            shutil.rmtree(target)
        os.rename(temporary, target)
    except OSError as error:
        raise ValueError(f"--thumbnails: {folder!r} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(target / _PAGE)


def _write_side(folder: pathlib.Path, side: str, names: Sequence[str], items: Iterable[Indexed]) -> str:
    items_by_label: dict[int, list[Indexed]] = {}
    for item in items:
        for label in item.row["labels"]:
            items_by_label.setdefault(label, []).append(item)
    shown = sorted(sorted(items_by_label, key=lambda label: (-len(items_by_label[label]), label))[:_SHOWN_LABELS])
    (folder / side).mkdir()
    blocks = "".join(_write_label(folder, side, names[label], items_by_label[label][:_SHOWN_IMAGES]) for label in shown)
    more = f" (of {len(items_by_label):,} in the sample)" if len(items_by_label) > len(shown) else ""
    return f"<h2>{html.escape(side)}: {len(shown)} labels{more}</h2>\n<section>\n{blocks}</section>\n"


def _write_label(folder: pathlib.Path, side: str, name: str, items: Sequence[Indexed]) -> str:
    pictures = []
    for item in items:
        row, path = item.row, f"{side}/{item.row['split']}-{item.key:016x}.jpg"
        if not (folder / path).exists():  # an image may have several labels
            make_thumbnail(item.image, _SIZE).save(folder / path, "JPEG", quality=85)
        caption = f"{row['source_id']} · {row['split']} · {row['height']} × {row['width']} {row['format']}"
        pictures.append(f'<img src="{path}" alt="{html.escape(name)}" title="{html.escape(caption)}">')
    return f"<div><h3>{html.escape(name)}</h3>{''.join(pictures)}</div>\n"


def make_thumbnail(image: bytes, size: int) -> PIL.Image.Image:
    """Returns an encoded image, upright, with at most `size` pixels on its longer side.

    Raises:
      tf.errors.InvalidArgumentError: it cannot be decoded.
    """
    # TensorFlow's decoder shows the image as a training sees it; PIL decodes 16-bit images differently.
    pixels = tf.io.decode_image(image, 3, expand_animations=False).numpy()
    picture = turn(PIL.Image.fromarray(pixels), read_orientation(image))
    picture.thumbnail((size, size))
    return picture
