"""Small pictures of a sample, and the page that shows them."""

import io
import re

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from components.artifacts import index
from components.example_gen.testing import index_image
from pipeline.preview import thumbnails

NAMES = ("ant", "<bee>", "cow")


def item(source_id: str, labels: tuple[int, ...], size: tuple[int, int] = (400, 100), mode: str = "RGB"):
    file = io.BytesIO()
    PIL.Image.new(mode, size, 200).save(file, "PNG")
    return index_image(file.getvalue(), labels, source_id, split="train", num_labels=len(NAMES))


def test_a_page_by_label(tmp_path):
    items = [item("a&b", (1,)), item("c", (2, 1)), item("d", (1,), (20, 30), "L")]
    page = thumbnails.write(str(tmp_path / "small"), "my <data>", {"source": (NAMES, items), "pets": (NAMES, [])})
    assert page == str(tmp_path / "small" / "index.html")
    text = (tmp_path / "small" / "index.html").read_text()
    assert "<h1>my &lt;data&gt;</h1>" in text
    assert re.findall("<h[23]>(.*?)</h[23]>", text) == ["source: 2 labels", "&lt;bee&gt;", "cow", "pets: 0 labels"]
    assert 'title="a&amp;b · train · 100 × 400 png"' in text
    shown = re.findall('src="(.*?)"', text)
    assert len(shown) == 4 and len(set(shown)) == 3  # one of them under both of its labels
    sizes = {PIL.Image.open(tmp_path / "small" / path).size for path in shown}
    assert sizes == {(128, 32), (20, 30)}
    assert sum(path.is_file() for path in (tmp_path / "small").rglob("*")) == 4


def test_no_more_than_can_be_looked_at(tmp_path):
    names = tuple(f"label-{i}" for i in range(1200))
    items = []
    for i in range(100):
        items.append(item(f"{i}", (0,)))
        items[-1].row["labels"] = [i % 50]
    items += [item(f"more-{i}", (0,)) for i in range(9)]
    thumbnails.write(str(tmp_path / "small"), "x", {"source": (names, items)})
    text = (tmp_path / "small" / "index.html").read_text()
    assert "source: 40 labels (of 50 in the sample)" in text
    assert text.count("<img") == 6 + 39 * 2


def test_an_earlier_page_is_replaced(tmp_path):
    for name in ("a", "b"):
        thumbnails.write(str(tmp_path / "small"), "x", {"source": (NAMES, [item(name, (0,))])})
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    (picture,) = (tmp_path / "small" / "source").iterdir()
    assert picture.name == f"train-{index.id_key('b'):016x}.jpg"


@pytest.mark.parametrize("content", ["index.html", "notes.txt"], ids=["page", "file"])
def test_nothing_of_others_is_touched(tmp_path, content):
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / content).write_text("mine")
    with pytest.raises(ValueError, match=r"--thumbnails: '.*small' exists, and this command did not write it"):
        thumbnails.write(str(tmp_path / "small"), "x", {})
    assert [path.name for path in (tmp_path / "small").iterdir()] == [content]


def test_an_empty_folder_is_taken(tmp_path):
    thumbnails.write(str(tmp_path), "x", {"source": (NAMES, [item("a", (0,))])})
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "source"}


def test_of_16_bits_the_high_byte_is_seen(tmp_path):
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((8, 8), 7 << 8 | 200, np.uint16)).save(file, "PNG")
    found = index_image(file.getvalue(), (0,), "a", split="train", num_labels=len(NAMES))
    thumbnails.write(str(tmp_path / "small"), "x", {"source": (NAMES, [found])})
    (path,) = (tmp_path / "small" / "source").iterdir()
    assert np.abs(np.asarray(PIL.Image.open(path)).astype(int) - 7).max() <= 1


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"--thumbnails: .*cannot be written \(Not a directory\)"):
        thumbnails.write(str(tmp_path / "file" / "small"), "x", {})


def test_an_error_leaves_nothing_and_keeps_what_was_there(tmp_path):
    thumbnails.write(str(tmp_path / "small"), "old", {})
    broken = item("a", (0,))
    broken = type(broken)(broken.image.replace(b"PNG", b"GNP"), broken.row)
    with pytest.raises(tf.errors.InvalidArgumentError):
        thumbnails.write(str(tmp_path / "small"), "new", {"source": (NAMES, [broken])})
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    assert "<h1>old</h1>" in (tmp_path / "small" / "index.html").read_text()
