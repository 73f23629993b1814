"""Thumbnails are of the right images, whatever the shards, and stop at their bytes."""

import base64
import io

import numpy as np
import PIL.Image
import pytest

from components.artifacts import index
from components.example_gen import testing
from pipeline.report import pictures
from pipeline.report.pictures import Pictures

NAMES = ("cat", "owl", "elk")


def encode(value: int, size: tuple[int, int] = (8, 6)) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("L", size, value).save(file, "PNG")
    return file.getvalue()


def decode(picture) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))


@pytest.fixture
def write(tmp_path):
    def write(shards: int) -> tuple[str, str]:
        """Writes 30 images, whose values are 8 times their numbers, of label i % 3 and every fifth of label 0 too."""
        root = tmp_path / f"{shards}"
        items = []
        for i in range(30):
            labels = tuple({i % 3: None, **({0: None} if i % 5 == 0 else {})})
            items.append(testing.make_record(encode(8 * i), labels, f"image-{i}", names=NAMES, split="train"))
        for shard in range(shards):
            of_shard = sorted(items[shard::shards], key=lambda item: item.key)
            testing.write_shard(
                str(root / "examples/Split-train"), str(root / "index/Split-train"), shard, shards, of_shard
            )
        return str(root / "index"), str(root / "examples")

    return write


NOTHING = np.empty(0, np.uint64)


def test_the_images_of_labels_are_the_same_whatever_the_shards(write):
    few, many = (pictures.choose_of_labels(write(shards)[0], [2, 0], 4, NOTHING, 3) for shards in (1, 7))
    assert few == many
    assert list(few) == [2, 0] and {len(found) for found in few.values()} == {4}
    assert all(int(name.removeprefix("image-")) % 3 == 2 for name in few[2])
    keys = [index.id_key(name) for name in few[2]]
    others = [index.id_key(f"image-{i}") for i in range(2, 30, 3)]
    assert keys == sorted(others)[:4]


def test_what_is_excluded_is_not_shown(write):
    uri = write(2)[0]
    chosen = pictures.choose_of_labels(uri, [2], 4, NOTHING, 3)[2]
    excluded = np.array([index.id_key(chosen[0])], np.uint64)
    assert pictures.choose_of_labels(uri, [2], 3, excluded, 3)[2] == chosen[1:]


def test_a_label_with_fewer_images_and_one_without(write):
    found = pictures.choose_of_labels(write(2)[0], [1], 99, NOTHING, 3)
    assert len(found[1]) == 10
    assert pictures.choose_of_labels(None, [1], 3, NOTHING, 3) == {}


@pytest.mark.parametrize("shards", [1, 7])
def test_an_image_is_the_one_of_its_id(write, shards):
    places = pictures.locate(*write(shards), "train", ["image-29", "image-3", "no image"])
    assert list(places) == ["image-29", "image-3"]
    shown = Pictures().read(places, {"image-3": "a cat"})
    values = {name: np.asarray(decode(picture))[0, 0, 0] for name, picture in shown.items()}
    assert abs(int(values["image-29"]) - 232) <= 3 and abs(int(values["image-3"]) - 24) <= 3
    assert (shown["image-3"].caption, shown["image-29"].caption) == ("a cat", "image-29")


def test_nothing_is_found_where_nothing_is(write):
    uri, _ = write(1)
    assert pictures.locate(uri, None, "train", ["image-3"]) == {}
    assert pictures.locate(*write(1), "eval", ["image-3"]) == {}


def test_a_thumbnail_is_small_and_a_damaged_image_none():
    made = Pictures()
    assert decode(made.make("a", encode(9, (300, 100)))).size == (64, 21)
    assert made.make("b", b"no image") is None


def test_pictures_stop_at_their_bytes():
    one = len(Pictures().make("a", encode(9)).uri)
    made = Pictures(2 * one + 1)
    assert [made.make(name, encode(9)) is not None for name in "abc"] == [True, True, False]


def test_files_that_are_gone_are_passed_over(tmp_path):
    (tmp_path / "b.png").write_bytes(encode(3))
    (tmp_path / "c.png").write_bytes(b"cut off")
    files = [(name, str(tmp_path / f"{name}.png")) for name in "abc"]
    assert [found.id for found in pictures.read_files(files, Pictures(), 5)] == ["b"]


def test_a_spread():
    assert pictures.spread([*range(10)], 4) == [0, 3, 6, 9]
    assert pictures.spread([1, 2], 4) == [1, 2]
    assert pictures.spread([1, 2], 1) == [1]
