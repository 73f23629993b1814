"""A sample of a data set: where it comes from, and that it is what the ExampleGen would write."""

import io

import PIL.Image
import pytest

from components.artifacts import index
from components.example_gen import sample
from components.example_gen.examples import ImageChecker
from components.example_gen.readers import reader
from components.example_gen.readers.folder import FolderReader

SPLITS = {"train": "train", "eval": "held[:50%]", "test": "held[50%:]"}


@pytest.fixture(scope="module")
def folder(picture, tmp_path_factory) -> str:
    """90 images to train on, of three classes one after the other, with 2 that cannot be read; 30 held back."""
    root = tmp_path_factory.mktemp("folder")
    for own, count in (("train", 30), ("held", 10)):
        for number, name in enumerate(("ant", "bee", "cow")):
            (root / own / name).mkdir(parents=True)
            for i in range(count):
                value = number * 100 + i + (50 if own == "held" else 0)
                (root / own / name / f"{i:03d}.png").write_bytes(picture(value, 4 + number, 9))
    (root / "train" / "ant" / "000.png").write_bytes(b"")
    (root / "train" / "cow" / "029.png").write_bytes(b"nothing to see")
    gif = io.BytesIO()
    PIL.Image.new("RGB", (8, 3), (200, 10, 10)).save(gif, "GIF")
    (root / "train" / "bee" / "007.png").write_bytes(gif.getvalue())
    return str(root)


@pytest.fixture(scope="module")
def draw(folder, tmp_path_factory):
    def draw(images: int) -> sample.Sample:
        dataset = FolderReader(folder=folder, splits=SPLITS)
        contents = dataset.open(str(tmp_path_factory.mktemp("work")))
        return sample.draw_sample(dataset, contents, ImageChecker(contents.vocabulary.names, 10_000, True), images)

    return draw


def test_a_sample_of_all_is_what_the_example_gen_writes(draw, folder, generate):
    found = draw(200)
    made = generate(FolderReader(folder=folder, splits=SPLITS), max_rejected=0.1, perceptual_hashes=True)
    for split in SPLITS:
        written = [{**row, "offset": None, "length": None} for shard in made.index_shards(split) for row in shard]
        assert sorted(index.table(found.rows[split]).to_pylist(), key=lambda row: row["key"]) == written
    assert found.whole == set(SPLITS)
    assert found.read == {"train": 90, "eval": len(found.rows["eval"]), "test": 30 - len(found.rows["eval"])}
    rejections = {row["source_id"]: row for rows in found.rejections.values() for row in rows}
    assert rejections == made.rejections() and len(rejections) == 2
    rows = [row for of_split in found.rows.values() for row in of_split]
    assert [row["original_format"] for row in rows if row["converted"]] == ["gif"]
    records = {
        made_id: record["image/encoded"][0] for split in SPLITS for made_id, record in made.records(split).items()
    }
    assert {item.row["source_id"] for item in found.examples} == records.keys()
    assert found.seconds > 0


def test_a_small_sample_comes_from_all_over_the_data(draw):
    found = draw(12)
    assert found.read["train"] == 12 and found.read["eval"] + found.read["test"] == 12
    # The listing is sorted by class; its ends belong to the sample, and both cannot be read.
    assert [row["labels"][0] for row in found.rows["train"]] == [0] * 3 + [1] * 4 + [2] * 3
    assert [row["source_id"] for row in found.rejections["train"]] == ["train/ant/000.png", "train/cow/029.png"]
    assert found.whole == set()


def test_a_split_may_be_whole_where_another_is_not(draw):
    assert draw(40).whole == {"eval", "test"}
    assert draw(30).whole == set()  # nothing says that there are no more


def test_a_single_image(draw):
    assert draw(1).read["train"] == 1


def test_no_more_examples_are_held_than_fit(draw, monkeypatch):
    whole = draw(200)
    monkeypatch.setattr(sample, "_HELD", sum(len(item.image) for item in whole.examples) // 3)
    few = draw(200)
    assert few.rows == whole.rows
    assert 30 <= len(few.examples) <= 50
    # Of each part that was looked into there are some.
    assert {item.row["labels"][0] for item in few.examples} == {0, 1, 2}
    assert {item.row["split"] for item in few.examples} == set(SPLITS)


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(5, 9, [0, 1, 2, 3, 4]), (9, 3, [0, 4, 8]), (10, 4, [0, 3, 6, 9]), (4, 1, [0]), (0, 3, [])],
    ids=["all", "odd", "even", "one", "none"],
)
def test_spread(count, most, expected):
    assert reader.spread_evenly(range(count), most) == expected
