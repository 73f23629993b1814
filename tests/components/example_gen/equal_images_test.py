"""What becomes of the labels of equal images, whatever the order in which they are read, and by whomever."""

import csv
import itertools

import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts import data_report, index
from components.example_gen import equal_images, ingest, runs, sample
from components.example_gen.examples import ImageChecker
from components.example_gen.ingest import Shards
from components.example_gen.readers import files
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.tfrecords import TFRecordReader

NAMES = ("ant", "bee", "cow")
IMAGES = st.builds(
    lambda content, split, source_id, labels: {
        **{"content_hash": content * 32, "split": split, "source_id": source_id},
        "labels": sorted(labels),
    },
    st.sampled_from("0f"),
    st.sampled_from(["eval", "train"]),
    st.sampled_from(["a", "b", "c"]),
    st.sets(st.integers(0, 2), min_size=1),
)


def decide(rows: list[dict], several_labels: bool) -> list[dict]:
    table = pa.Table.from_pylist(rows, equal_images.ENTRIES)
    return list(equal_images.decide(table, NAMES, several_labels))


@given(st.lists(IMAGES, max_size=12), st.booleans(), st.randoms())
def test_the_order_does_not_count(rows, several_labels, random):
    found = decide(rows, several_labels)
    shuffled = random.sample(rows, len(rows))
    assert decide(shuffled, several_labels) == found
    assert len({equal_images.key_of(row) for row in found}) == len(found)


@given(st.lists(IMAGES, max_size=12))
def test_of_contradicting_images_none_is_taken(rows):
    sets = {c * 32: {frozenset(row["labels"]) for row in rows if row["content_hash"] == c * 32} for c in "0f"}
    wrong = {equal_images.key_of(row) for row in rows if len(sets[row["content_hash"]]) > 1}
    found = decide(rows, False)
    assert {equal_images.key_of(row) for row in found} == wrong
    assert {row["reason"] for row in found} <= {"conflicting_labels"}


@given(st.lists(IMAGES, max_size=12))
def test_the_smallest_id_gets_the_labels_of_all(rows):
    found = {equal_images.key_of(row): row for row in decide(rows, True)}
    for content, split in itertools.product("0f", ["eval", "train"]):
        equal = [row for row in rows if row["content_hash"] == content * 32 and row["split"] == split]
        ids = {row["source_id"] for row in equal}
        decisions = {source_id: found.get((split, source_id, content * 32)) for source_id in ids}
        if len({frozenset(row["labels"]) for row in equal}) < 2:
            assert set(decisions.values()) <= {None}
            continue
        first = decisions.pop(min(ids))
        assert (first["labels"], first["reason"]) == (sorted({label for row in equal for label in row["labels"]}), None)
        assert {row["reason"] for row in decisions.values()} <= {"duplicate_image"}


def test_what_is_said_of_them():
    def row(source_id: str, *labels: int) -> dict:
        return {"content_hash": "0" * 32, "split": "train", "source_id": source_id, "labels": labels}

    detail = decide([row("x", 2), row("y", 0)], False)[0]["detail"]
    assert detail.startswith("the same image has the labels 'ant' (y), 'cow' (x); ")
    detail = decide([row("x", 2), row("x", 1, 0), row("x", 0), row("x", 1)], False)[0]["detail"]
    assert detail.startswith("the same image has the labels 'ant', 'ant' and 'bee', 'bee' and 1 more; ")
    detail = decide([row("x", 2), row("y", 0)], True)[1]["detail"]
    assert detail == "x is the same image, and has its labels too"


def test_an_id_belongs_to_the_image_that_gets_the_labels_of_others():
    def row(content: str, split: str, source_id: str, *labels: int) -> dict:
        return {"content_hash": content * 32, "split": split, "source_id": source_id, "labels": labels}

    rows = [row("0", "train", "a", 0), row("f", "train", "a", 1), row("f", "train", "b", 2), row("f", "eval", "a", 1)]
    assert equal_images.choose_contents(decide(rows, True)) == {("train", "a"): "f" * 32}
    # Of two such images, the same one every time.
    assert equal_images.choose_contents(decide([*rows, row("0", "train", "c", 1)], True)) == {("train", "a"): "0" * 32}


def test_an_image_stays_where_its_id_is_there_again(generate, picture, tmp_path):
    rows = [("a", 0, 1), ("a", 1, 0), ("b", 0, 2), ("c", 2, 0), ("d", 3, 1)]
    with tf.io.TFRecordWriter(str(tmp_path / "images")) as writer:
        for source_id, image, label in rows:
            features = {
                "key": tf.train.Feature(bytes_list=tf.train.BytesList(value=[source_id.encode()])),
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[picture(image)])),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    (tmp_path / "train.names").write_text("ant\nbee\ncow\n")
    reader = TFRecordReader(
        tfrecords=f"{tmp_path}/{{split}}", splits={"train": "images", "eval": "images"}, compression="none",
        id_key="key", names=f"{tmp_path}/train.names", several_labels=True,
    )  # fmt: skip
    made = generate(reader, max_rejected=1.0)
    content = index.content_hash(picture(0))
    expected = {"a": [1, 2], "c": [0], "d": [1]}
    assert {key: found["image/class/label"] for key, found in made.records("train").items()} == expected
    contents = reader.open(str(tmp_path))
    found = sample.draw_sample(reader, contents, ImageChecker(contents.vocabulary.names, 10_000, False), 100)
    assert {row["source_id"]: row["labels"] for row in found.rows["train"]} == expected
    assert [row["content_hash"] for row in found.rows["train"] if row["source_id"] == "a"] == [content]
    assert sorted((row["source_id"], row["reason"]) for row in found.rejections["train"]) == [
        ("a", "duplicate_id"),
        ("b", "duplicate_image"),
    ]


def test_contents_meet_whatever_the_number_of_shards():
    for counts in ({"train": 1, "eval": 1}, {"train": 40, "eval": 3}):
        shards = Shards(counts)
        buckets = {shards.content_bucket(index.content_hash(bytes([i]))) for i in range(200)}
        assert buckets == set(range(len(shards), len(shards) + shards.content_buckets))
    assert [Shards({"train": count}).content_buckets for count in (1, 16, 17, 160)] == [1, 1, 2, 10]


def labels_of(i: int) -> list[int]:
    """The labels that image i has in one, two or three folders."""
    return list(range(i % 4)) or [i // 4 % 2]


@pytest.fixture(scope="module")
def folder(picture, tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("folder")
    for i in range(40):
        for label in labels_of(i):
            path = root / ("train" if i % 5 else "val") / NAMES[label] / f"{i:02d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(i))
    return str(root)


@pytest.mark.parametrize("several_labels", [False, True], ids=["one label", "several"])
def test_files_do_not_depend_on_who_meets_whom(generate, folder, several_labels, monkeypatch):
    reader = FolderReader(folder=folder, splits={"train": "train", "eval": "val"}, several_labels=several_labels)
    whole = generate(reader, shards=5, max_rejected=1.0)
    monkeypatch.setattr(files, "_PART_FILES", 7)
    monkeypatch.setattr(ingest, "_SHARDS_COMPARED", 3)
    monkeypatch.setattr(runs, "_FRAME_ROWS", 2)
    workers = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
    assert generate(reader, shards=5, max_rejected=1.0).files() == whole.files()
    assert generate(reader, shards=5, max_rejected=1.0, beam_arguments=workers).files() == whole.files()

    taken = {i: labels_of(i) for i in range(40) if i % 5 and (several_labels or len(labels_of(i)) == 1)}
    labels = {source_id: record["image/class/label"] for source_id, record in whole.records("train").items()}
    assert labels == {f"train/{NAMES[found[0]]}/{i:02d}.png": found for i, found in taken.items()}
    of_label = [sum(label in found for found in taken.values()) for label in range(3)]
    assert of_label == ([28, 20, 8] if several_labels else [12, 4, 0])
    with open(whole.index / data_report.COUNTS_FILE, newline="") as file:
        assert [int(row["train"]) for row in csv.DictReader(file)] == of_label
    reasons = [row["reason"] for row in whole.rejections().values()]
    assert set(reasons) == {"duplicate_image" if several_labels else "conflicting_labels"}
    assert len(reasons) == sum(len(labels_of(i)) - several_labels for i in range(40) if len(labels_of(i)) > 1)
