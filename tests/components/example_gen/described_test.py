"""The same images and labels in every form that people give them: what is read, and what is refused.

A row is the split, the number of its image, and what the data say of its labels.
"""

import csv
import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from tfx import types
from tfx.types import standard_artifacts

import components
from components.artifacts import data_report, index, vocabulary
from components.example_gen import indexer, readers, sample
from components.example_gen.examples import ImageChecker

SPLITS = {"train": "train", "eval": "val"}
TABLES = ["csv", "tsv", "parquet"]
COLUMNS = ["dataset", *TABLES, "tfrecords", "indexer"]  # kinds with a column or a feature of labels
KINDS = ["folder", *COLUMNS, "uris"]
Row = tuple[str, int, Any]


@dataclasses.dataclass
class Made:
    """What was read.

    Attributes:
      names: of the vocabulary.
      labels: split → number of an image → the names of its labels, once for each example.
      ids: split → the ids of the examples.
      rejected: the reasons of what was rejected, sorted.
      findings: (kind, split, number) of what an ingestion tells, sorted.
    """

    names: tuple[str, ...]
    labels: dict[str, dict[int, list[list[str]]]]
    ids: dict[str, set[str]]
    rejected: list[str]
    findings: list[tuple[str, str, int]]


@pytest.fixture(scope="module")
def prepare_once(prepare, picture):
    """Returns what prepares rows as a TFDS data set, once for all tests: it takes longer than to read them."""
    prepared: dict[str, readers.Reader] = {}

    def prepare_once(rows: list[Row], feature: Any, **settings) -> readers.Reader:
        key = repr((rows, feature))
        if key not in prepared:
            by_split: dict[str, list] = {split: [] for split in SPLITS.values()}
            for split, image, label in rows:
                by_split[split].append({"image": picture(image), "label": label})
            features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": feature}
            prepared[key] = prepare(by_split, features, splits=SPLITS)
        return readers.make_reader({**dict(prepared[key]), **settings})

    return prepare_once


@pytest.fixture
def describe(tmp_path, picture, prepare_once, generate, execute):
    """Returns a function that writes rows in the form of a kind, and reads them."""

    def write(kind: str, rows: list[Row], repeated: bool = False, ids: bool = False, **settings):
        """Returns a reader of `rows`; or the Examples and the settings of an ExampleIndexer."""
        if kind == "dataset":
            return prepare_once(rows, _feature_of(rows, settings), **settings)
        if kind in ("tfrecords", "indexer"):
            return _write_records(kind, tmp_path, picture, rows, ids, settings)
        written = []
        for number, (split, image, label) in enumerate(rows):
            folder = f"{split}/{label}" if kind == "folder" else "images"
            # A name that sorts behind those of earlier rows, unless a row may name an image of another one.
            path = tmp_path / kind / folder / f"{image if repeated else number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(image))
            written.append((split, str(path.relative_to(tmp_path / kind)), label))
        if kind == "folder":
            return readers.make_reader({"folder": str(tmp_path / kind), "splits": SPLITS, **settings})
        if kind == "uris":
            for split in SPLITS.values():
                lines = [f"{path}\t{label}\n" for own, path, label in written if own == split]
                (tmp_path / kind / f"{split}.txt").write_text("".join(lines))
            return readers.make_reader({"uris": str(tmp_path / kind / "{split}.txt"), "splits": SPLITS, **settings})
        path = tmp_path / kind / f"list.{kind}"
        _write_table(path, written)
        if kind != "parquet" and any(isinstance(label, list) for _, _, label in written):
            settings["separator"] = " "
        return readers.make_reader({"manifest": str(path), "split_key": "split", "splits": SPLITS, **settings})

    def describe(kind: str, rows: list[Row], ingest: bool = False, **settings) -> Made:
        """Reads `rows` as `specialist data` does, or as an ingestion, too."""
        reader, inputs, properties = write(kind, rows, **settings), {}, None
        if kind == "indexer":
            examples, keys = reader
            channel = types.Channel(type=standard_artifacts.Examples)
            node = components.ExampleIndexer(original_examples=channel, splits=SPLITS, max_rejected=1.0, **keys)
            inputs, properties = {"original_examples": [examples]}, node.exec_properties
            reader = indexer.Executor()._reader(inputs, properties)
        contents = reader.open(str(tmp_path / "work"))
        names = contents.vocabulary.names
        found = sample.draw_sample(reader, contents, ImageChecker(names, 10_000, False), 1000)
        findings = []
        if ingest:
            made = execute(indexer.Executor, inputs, properties) if inputs else generate(reader, max_rejected=1.0)
            _check_ingestion(made, found, names)
            summary = json.loads((made.index / data_report.SUMMARY_FILE).read_text())
            findings = [(f["kind"], f["where"], f["count"]) for f in summary["findings"] if f["kind"] != "set_aside"]
        numbers = {index.content_hash(picture(image)): image for _, image, _ in rows}
        labels: dict[str, dict[int, list[list[str]]]] = {split: {} for split in SPLITS}
        for row in found.all_rows:
            of_image = labels[row["split"]].setdefault(numbers[row["content_hash"]], [])
            of_image.append([names[label] for label in row["labels"]])
        return Made(
            names,
            labels,
            {split: {row["source_id"] for row in found.rows[split]} for split in SPLITS},
            sorted(row["reason"] for row in found.all_rejections),
            sorted(findings),
        )

    return describe


def _check_ingestion(made, found: sample.Sample, names: tuple[str, ...]) -> None:
    """Checks that what the ExampleGen has written is what a sample of all says."""
    written = vocabulary.loads((made.vocabulary / vocabulary.FILE_NAME).read_text(encoding="utf-8"))
    assert written.names == names
    for split in SPLITS:
        rows = [{**row, "offset": None, "length": None} for shard in made.index_shards(split) for row in shard]
        assert sorted(index.table(found.rows[split]).to_pylist(), key=lambda row: row["key"]) == rows
        records = [record for shard in made.shards(split) for record in shard]
        assert [record["image/class/label"] for record in records] == [row["labels"] for row in rows]
        texts = [[names[label].encode() for label in row["labels"]] for row in rows]
        assert [record["image/class/text"] for record in records] == texts

    def order(row: dict) -> tuple[str, str, str]:
        return row["split"], row["source_id"], row["reason"]

    rejections = [row for path in made.rejected.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    assert sorted(found.all_rejections, key=order) == sorted(rejections, key=order)


def _feature_of(rows: list[Row], settings: dict) -> Any:
    """Returns the feature that holds the labels of `rows` in a TFDS data set."""
    _, _, value = rows[0]
    number = np.float32 if isinstance(value[0] if isinstance(value, list) else value, float) else np.int64
    if isinstance(value, list):
        return tfds.features.Tensor(shape=(len(value),), dtype=number)
    if not isinstance(value, str):
        return tfds.features.Scalar(number)
    names = sorted({label for _, _, label in rows})
    return tfds.features.Text() if "names" in settings else tfds.features.ClassLabel(names=names)


def _write_records(kind, folder, picture, rows, ids, settings):
    keys = {"image_key": "image", "label_key": "label", **({"id_key": "key"} if ids else {}), **settings}
    examples = standard_artifacts.Examples()
    examples.uri, examples.splits = str(folder / kind), list(SPLITS.values())
    for split in SPLITS.values():
        path = folder / kind / f"Split-{split}" / "data_tfrecord-00000-of-00001"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number, (own, image, label) in enumerate(rows):
                if own == split:
                    writer.write(record(image=picture(image), label=label, key=f"{number:03d}.png"))
    if kind == "indexer":
        return examples, keys
    pattern = f"{examples.uri}/Split-{{split}}/*"
    return readers.make_reader({"tfrecords": pattern, "compression": "none", "splits": SPLITS, **keys})


def record(**features) -> bytes:
    def feature(value) -> tf.train.Feature:
        values = value if isinstance(value, list) else [value]
        if all(isinstance(item, int) for item in values):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        if all(isinstance(item, float) for item in values):
            return tf.train.Feature(float_list=tf.train.FloatList(value=values))
        texts = [item.encode() if isinstance(item, str) else item for item in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))

    found = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


def _write_table(path: pathlib.Path, rows) -> None:
    if path.suffix == ".parquet":
        columns = dict(zip(("split", "path", "label"), zip(*rows, strict=True), strict=True))
        pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), path)
        return
    with open(path, "w", newline="") as file:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        table = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
        table.writerow(["split", "path", "label"])
        table.writerows(
            [split, name, " ".join(map(str, label)) if isinstance(label, list) else label]
            for split, name, label in rows
        )


# Image 0 is there with two labels, image 1 twice with one, image 2 in both splits, and image 3 in both with another
# label. The others are as they should be.
AGAIN: list[Row] = [
    *(("train", 0, "dog"), ("train", 0, "cat"), ("train", 1, "cat"), ("train", 1, "cat")),
    *(("train", 2, "dog"), ("val", 2, "dog"), ("train", 3, "cat"), ("val", 3, "dog")),
    *(("train", 4, "cat"), ("train", 5, "dog"), ("val", 6, "cat"), ("val", 7, "dog")),
]
BY_CONTENT = {"dataset", "tfrecords", "indexer"}  # where the content is the id


@pytest.mark.parametrize("kind", KINDS)
def test_equal_images_with_different_labels_are_set_aside(describe, kind):
    found = describe(kind, AGAIN, ingest=True)
    twice = [["cat"]] if kind in BY_CONTENT else [["cat"], ["cat"]]
    assert found.labels == {
        "train": {1: twice, 2: [["dog"]], 4: [["cat"]], 5: [["dog"]]},
        "eval": {2: [["dog"]], 6: [["cat"]], 7: [["dog"]]},
    }
    assert found.rejected == ["conflicting_labels"] * 4 + ["duplicate_image"] * (kind in BY_CONTENT)
    repeated = [] if kind in BY_CONTENT else [("repeated_image", "train", 1)]
    same_id = [("same_id", "train, eval", 1)] if kind in BY_CONTENT else []
    assert found.findings == [*repeated, *same_id, ("same_image", "train, eval", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_equal_images_are_merged_where_several_are_allowed(describe, kind):
    found = describe(kind, AGAIN, ingest=True, several_labels=True)
    twice = [["cat"]] if kind in BY_CONTENT else [["cat"], ["cat"]]
    assert found.labels == {
        "train": {0: [["cat", "dog"]], 1: twice, 2: [["dog"]], 3: [["cat"]], 4: [["cat"]], 5: [["dog"]]},
        "eval": {2: [["dog"]], 3: [["dog"]], 6: [["cat"]], 7: [["dog"]]},
    }
    assert found.rejected == ["duplicate_image"] * (2 if kind in BY_CONTENT else 1)
    repeated = [] if kind in BY_CONTENT else [("repeated_image", "train", 1)]
    same_id = [("same_id", "train, eval", 2)] if kind in BY_CONTENT else []
    assert found.findings == [*repeated, *same_id, ("same_image", "train, eval", 2)]


@pytest.mark.parametrize("kind", [*TABLES, "uris"])
def test_the_smallest_id_stays(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("train", 0, "emu"), ("val", 2, "cat")]
    found = describe(kind, [*rows, ("val", 3, "dog")], several_labels=True)
    assert found.ids == {"train": {"images/000.png", "images/001.png"}, "eval": {"images/004.png", "images/005.png"}}
    assert found.labels["train"] == {0: [["cat", "dog", "emu"]], 1: [["cat"]]}


@pytest.mark.parametrize("kind", ["tfrecords", "indexer"])
def test_the_smallest_id_of_records_stays(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("val", 2, "cat"), ("val", 3, "dog")]
    found = describe(kind, rows, ids=True, several_labels=True)
    assert found.ids == {"train": {"000.png", "001.png"}, "eval": {"003.png", "004.png"}}
    assert found.labels["train"] == {0: [["cat", "dog"]], 1: [["cat"]]}


@pytest.mark.parametrize("kind", [*TABLES, "uris"])
def test_a_path_may_be_there_again_where_several_labels_are_allowed(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("val", 2, "cat"), ("val", 3, "dog")]
    found = describe(kind, rows, repeated=True, several_labels=True)
    assert found.ids["train"] == {"images/000.png", "images/001.png"}
    assert found.labels["train"] == {0: [["cat", "dog"]], 1: [["cat"]]}
    assert found.rejected == []
    key = "uris: lines 1, 3 of" if kind == "uris" else "image_key: column 'path' of"
    with pytest.raises(ValueError, match=f"^{key} .*'images/000.png' is .*; ids must be unique, unless several_labels"):
        describe(kind, rows, repeated=True)


NAMES = ["ant", "bee", "cow"]
FROM_ZERO: list[Row] = [("train", 0, 0), ("train", 1, 1), ("train", 2, 2), ("val", 3, 1), ("val", 4, 2)]
FROM_ONE: list[Row] = [(split, image, label + 1) for split, image, label in FROM_ZERO]
EXPECTED = {"train": {0: [["ant"]], 1: [["bee"]], 2: [["cow"]]}, "eval": {3: [["bee"]], 4: [["cow"]]}}
LABEL_MAP = "item {\n  id: 1\n  name: 'ant'\n}\nitem { name: \"bee\" id: 2 }\nitem {\n id: 3\n display_name: 'cow'\n}\n"


@pytest.fixture
def names(tmp_path):
    def write(text: str = "".join(f"{name}\n" for name in NAMES)) -> str:
        (tmp_path / "names.txt").write_text(text)
        return str(tmp_path / "names.txt")

    return write


INDICES = pytest.mark.parametrize("kind", [*COLUMNS, "uris"])


@INDICES
@pytest.mark.parametrize(
    ("rows", "text", "settings"),
    [
        (FROM_ZERO, None, {}),
        (FROM_ZERO, None, {"label_format": "index"}),
        (FROM_ONE, None, {"first_label": 1}),
        (FROM_ONE, "1:ant\n2:bee\n3:cow\n", {}),
        (FROM_ONE, "3: cow\n1: ant\n2: bee\n", {"first_label": 1}),
        (FROM_ONE, LABEL_MAP, {"label_format": "index"}),
    ],
    ids=["from 0", "said to be indices", "from 1", "numbered", "numbered in another order", "a label map"],
)
def test_indices(describe, names, kind, rows, text, settings, request):
    found = describe(kind, rows, names=names() if text is None else names(text), **settings)
    assert (found.names, found.labels, found.rejected) == (tuple(NAMES), EXPECTED, [])


@INDICES
@pytest.mark.parametrize(
    ("rows", "text", "message"),
    [
        (
            FROM_ONE,
            None,
            r"^label_(key|format): .*the labels are \d to 3, but the 3 names in '.*names\.txt' have the indices 0 to 2 "
            r"\('ant' to 'cow'\); if the first name has the label 1, set first_label: 1",
        ),
        (
            FROM_ZERO,
            "1:ant\n2:bee\n3:cow\n",
            r"^label_(key|format): .*the labels are 0 to \d, but the 3 names in .* have the indices 1 to 3 .*; "
            r"give the names of all labels in their order, or an index before each",
        ),
        (
            [("train", 0, 0), ("train", 1, 7), ("val", 2, 0)],
            None,
            r"the labels are \d to 7, but .*; give the names of all",
        ),
    ],
    ids=["from 1", "from 0 and numbered from 1", "far outside"],
)
def test_an_index_without_a_name(describe, names, kind, rows, text, message):
    with pytest.raises(Exception, match=message):
        describe(kind, rows, names=names() if text is None else names(text))


@pytest.mark.parametrize("kind", ["csv", "parquet", "tfrecords", "indexer", "dataset", "uris"])
def test_digits_that_may_be_names_or_indices(describe, names, kind):
    text = "0\n2\n1\n"
    with pytest.raises(
        ValueError, match=r"^label_key: .* is 1 a name, or the index of '2'\? Set label_format to name or"
    ):
        describe(kind, FROM_ZERO, names=names(text))
    by_name = describe(kind, FROM_ZERO, names=names(text), label_format="name")
    assert by_name.labels["train"] == {0: [["0"]], 1: [["1"]], 2: [["2"]]} and by_name.names == ("0", "2", "1")
    by_index = describe(kind, FROM_ZERO, names=names(text), label_format="index")
    assert by_index.labels["train"] == {0: [["0"]], 1: [["2"]], 2: [["1"]]}


def one_hot(rows: list[Row], kind: type) -> list[Row]:
    return [(split, image, [kind(label == place) for place in range(3)]) for split, image, label in rows]


VECTORS = pytest.mark.parametrize("kind", COLUMNS)
NUMBERS = pytest.mark.parametrize("number", [int, float], ids=["int", "float"])


@VECTORS
@NUMBERS
def test_vectors_are_no_labels(describe, names, kind, number):
    if kind in ("csv", "tsv") and number is float:
        pytest.skip("digits in a text are no floating-point numbers")
    for several_labels in (False, True):
        with pytest.raises(
            ValueError, match=r"^label_key: .* vectors of 3 numbers 0 and 1, .*set label_format: one_hot"
        ):
            describe(kind, one_hot(FROM_ZERO, number), names=names(), several_labels=several_labels)


@VECTORS
@NUMBERS
def test_vectors_are_read_as_vectors(describe, names, kind, number):
    if kind in ("csv", "tsv") and number is float:
        pytest.skip("digits in a text are no floating-point numbers")
    found = describe(kind, one_hot(FROM_ZERO, number), names=names(), label_format="one_hot")
    assert (found.names, found.labels, found.rejected) == (tuple(NAMES), EXPECTED, [])


SEVERAL: list[Row] = [("train", 0, [1, 0, 1]), ("train", 1, [0, 1, 0]), ("val", 2, [1, 0, 0]), ("val", 3, [0, 0, 0])]


@VECTORS
def test_vectors_with_several_ones(describe, names, kind):
    found = describe(kind, SEVERAL, names=names(), label_format="one_hot", several_labels=True)
    assert found.labels == {"train": {0: [["ant", "cow"]], 1: [["bee"]]}, "eval": {2: [["ant"]]}}
    assert found.rejected == ["no_label"]
    rows = [*SEVERAL, ("train", 4, [1, 0, 0])]
    single = describe(kind, rows, names=names(), label_format="one_hot")
    assert single.labels == {"train": {1: [["bee"]], 4: [["ant"]]}, "eval": {2: [["ant"]]}}
    assert single.rejected == ["no_label", "several_labels"]


@VECTORS
@pytest.mark.parametrize("label", [[1, 0], [0, 2, 0]], ids=["too short", "another number"])
def test_what_is_no_vector(describe, names, kind, label):
    rows = [("train", 0, label), ("train", 1, label), ("val", 2, label)]
    with pytest.raises(Exception, match=r"label_key: .*is no vector of 3 numbers 0 and 1, a place for each name in '"):
        describe(kind, rows, names=names(), label_format="one_hot")


@pytest.mark.parametrize("kind", ["dataset", "parquet", "tfrecords", "indexer"])
def test_floating_point_numbers(describe, names, kind):
    rows = [(split, image, float(label)) for split, image, label in FROM_ZERO]
    with pytest.raises(
        ValueError, match=r"^label_key: .* has floating-point numbers, such as 0\.0; set label_format: index"
    ):
        describe(kind, rows, names=names())
    assert describe(kind, rows, names=names(), label_format="index").labels == EXPECTED
    halves = [(split, image, label + 0.5) for split, image, label in rows]
    with pytest.raises(
        ValueError, match=r"^label_key: .* has floating-point numbers, such as 0\.5; write names or integers"
    ):
        describe(kind, halves, names=names())


@pytest.mark.parametrize("kind", ["tfrecords", "indexer", "dataset"])
def test_digits_as_text(describe, names, kind):
    rows = [(split, image, str(label)) for split, image, label in FROM_ZERO]
    assert describe(kind, rows, names=names()).labels == EXPECTED


@INDICES
def test_a_name_that_is_not_in_the_file(describe, names, kind):
    rows = [("train", 0, "ant"), ("train", 1, "bee"), ("train", 2, "bea"), ("val", 3, "ant")]
    with pytest.raises(Exception, match=r"the label 'bea' is not in '.*names\.txt'; did you mean 'bee'"):
        describe(kind, rows, names=names())
