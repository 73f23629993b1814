"""The same images and labels in every form that people give them, and what is read of them.

A row is the split, the number of its image, and what the data say of its labels. Of a number below 0 it is no image.
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
def encode(picture):
    return lambda number: picture(number) if number >= 0 else b"no image" * -number


@pytest.fixture(scope="module")
def prepare_once(prepare, encode):
    """Returns what prepares rows as a TFDS data set, once for all tests: it takes longer than to read them."""
    prepared: dict[str, readers.Reader] = {}

    def prepare_once(rows: list[Row], feature: Any, **settings) -> readers.Reader:
        key = repr((rows, feature))
        if key not in prepared:
            by_split: dict[str, list] = {split: [] for split in SPLITS.values()}
            for split, image, label in rows:
                by_split[split].append({"image": encode(image), "label": label})
            features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": feature}
            prepared[key] = prepare(by_split, features, splits=SPLITS)
        return readers.make_reader({**dict(prepared[key]), **settings})

    return prepare_once


@pytest.fixture
def describe(tmp_path, encode, prepare_once, generate, execute):
    """Returns a function that writes rows in the form of a kind, and reads them."""

    def write(kind: str, rows: list[Row], repeated: bool = False, ids: bool = False, **settings):
        """Returns a reader of `rows`; or the Examples and the settings of an ExampleIndexer."""
        if kind == "dataset":
            return prepare_once(rows, _feature_of(rows, settings), **settings)
        if kind in ("tfrecords", "indexer"):
            return _write_records(kind, tmp_path, encode, rows, ids, settings)
        written = []
        for number, (split, image, label) in enumerate(rows):
            folder = f"{split}/{label}" if kind == "folder" else "images"
            # A name that sorts behind those of earlier rows, unless a row may name an image of another one.
            path = tmp_path / kind / folder / f"{image if repeated else number:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(image))
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
            told = [f for f in summary["findings"] if not f["kind"].startswith("set_aside")]
            findings = [(f["kind"], f["where"], f["count"]) for f in told]
        numbers = {index.content_hash(encode(image)): image for _, image, _ in rows}
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


def _write_records(kind, folder, encode, rows, ids, settings):
    keys = {"image_key": "image", "label_key": "label", **({"id_key": "key"} if ids else {}), **settings}
    examples = standard_artifacts.Examples()
    examples.uri, examples.splits = str(folder / kind), list(SPLITS.values())
    for split in SPLITS.values():
        path = folder / kind / f"Split-{split}" / "data_tfrecord-00000-of-00001"
        path.parent.mkdir(parents=True, exist_ok=True)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number, (own, image, label) in enumerate(rows):
                if own == split:
                    writer.write(record(image=encode(image), label=label, key=f"{number:03d}.png"))
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
