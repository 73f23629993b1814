"""Small pictures of a sample of the data, in a folder with a page that shows them by label."""

import html
import os
import pathlib
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence

import PIL.Image
import tensorflow as tf

from components.artifacts import examples
from components.example_gen.examples import Indexed

_SIZE = 128  # pixels of the longer side
_LABELS, _OF_A_LABEL = 40, 6  # that are shown
_PAGE = "index.html"
_OURS = '<meta name="generator" content="specialist data">'
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8">{ours}<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #222 }}
section {{ display: flex; flex-wrap: wrap; gap: 1rem 2rem }}
h2 {{ margin-top: 2.5rem }} h3 {{ font-size: 1rem; font-weight: 600; margin: 0 0 .3rem }}
div {{ max-width: 440px }} img {{ max-height: 64px; border: 1px solid #ddd; margin-right: 4px; vertical-align: top }}
</style>
<h1>{title}</h1>
"""


def check(folder: str) -> None:
    """Raises a ValueError if `folder` is something else's than this module's."""
    path = pathlib.Path(folder)
    page = path / _PAGE
    is_empty = path.is_dir() and not any(path.iterdir())
    is_ours = page.is_file() and _OURS in page.read_text(encoding="utf-8", errors="replace")
    if path.exists() and not (is_empty or is_ours):
        raise ValueError(f"--thumbnails: {folder!r} is there already, and not of this command; name another folder")


def write(folder: str, title: str, sides: Mapping[str, tuple[Sequence[str], Iterable[Indexed]]]) -> str:
    """Writes pictures of each side, and a page that shows them; all of it appears at once, or nothing.

    Args:
      folder: to be made, or one that this function made before, which is replaced.
      title: of the page.
      sides: name → the names of its labels, and examples.

    Returns:
      The path of the page.

    Raises:
      ValueError: `folder` is something else's, or cannot be written.
    """
    check(folder)
    target = pathlib.Path(folder).absolute()
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        body = "".join(_side(temporary, name, *of_side) for name, of_side in sides.items())
        (temporary / _PAGE).write_text(_HEAD.format(ours=_OURS, title=html.escape(title)) + body, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        os.rename(temporary, target)
    except OSError as error:
        raise ValueError(f"--thumbnails: {folder!r} cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return str(target / _PAGE)


def _side(folder: pathlib.Path, side: str, names: Sequence[str], items: Iterable[Indexed]) -> str:
    of_label: dict[int, list[Indexed]] = {}
    for item in items:
        for label in item.row["labels"]:
            of_label.setdefault(label, []).append(item)
    shown = sorted(sorted(of_label, key=lambda label: (-len(of_label[label]), label))[:_LABELS])
    (folder / side).mkdir()
    blocks = "".join(_label(folder, side, names[label], of_label[label][:_OF_A_LABEL]) for label in shown)
    more = f" (of {len(of_label):,} in the sample)" if len(of_label) > len(shown) else ""
    return f"<h2>{html.escape(side)}: {len(shown)} labels{more}</h2>\n<section>\n{blocks}</section>\n"


def _label(folder: pathlib.Path, side: str, name: str, items: Sequence[Indexed]) -> str:
    pictures = []
    for item in items:
        row, path = item.row, f"{side}/{item.row['split']}-{item.key:016x}.jpg"
        if not (folder / path).exists():  # of another label, too
            _thumbnail(examples.image_of(tf.train.Example.FromString(item.record))).save(
                folder / path, "JPEG", quality=85
            )
        told = f"{row['source_id']} · {row['split']} · {row['height']} × {row['width']} {row['format']}"
        pictures.append(f'<img src="{path}" alt="{html.escape(name)}" title="{html.escape(told)}">')
    return f"<div><h3>{html.escape(name)}</h3>{''.join(pictures)}</div>\n"


def _thumbnail(image: bytes) -> PIL.Image.Image:
    # As a training sees it: PIL would show 16 bits otherwise.
    picture = PIL.Image.fromarray(tf.io.decode_image(image, 3, expand_animations=False).numpy())
    picture.thumbnail((_SIZE, _SIZE))
    return picture
