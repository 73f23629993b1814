"""ExampleIndexer: Examples of another component, with keys of their own."""

import itertools
import json
import pathlib

import pytest
import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

import components
from components.artifacts import data_report, index, vocabulary
from components.code_version import code_version
from components.example_gen import indexer, readers
from components.example_gen.hierarchy_file import HierarchyFile
from components.example_gen.images import check as image_check
from components.example_gen.readers.tfrecords import TFRecordReader

SPLITS = {"train": "train", "eval": "validation"}


def record(**features) -> bytes:
    def feature(values) -> tf.train.Feature:
        if isinstance(values[0], int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    found = {name: feature(values if isinstance(values, list) else [values]) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


@pytest.fixture
def write(tmp_path):
    numbers = itertools.count()

    def write(suffix: str = "", **splits: list[bytes]) -> standard_artifacts.Examples:
        """Writes the records of each split into two files, compressed if `suffix` is .gz."""
        examples = standard_artifacts.Examples()
        examples.uri = str(tmp_path / f"original-{next(numbers)}")
        examples.splits = sorted(splits)
        options = tf.io.TFRecordOptions(compression_type="GZIP" if suffix else "")
        for split, records in splits.items():
            folder = pathlib.Path(examples.uri) / f"Split-{split}"
            folder.mkdir(parents=True)
            for shard in range(2):
                path = folder / f"data_tfrecord-{shard:05d}-of-00002{suffix}"
                with tf.io.TFRecordWriter(str(path), options) as writer:
                    for one in records[shard::2]:
                        writer.write(one)
        return examples

    return write


@pytest.fixture
def run(execute):
    def run(examples: standard_artifacts.Examples, **settings):
        settings = {"splits": SPLITS, "image_key": "photo", "label_key": "kind", **settings}
        node = make(**settings)
        return execute(indexer.Executor, {"original_examples": [examples]}, node.exec_properties)

    return run


def make(**settings) -> components.ExampleIndexer:
    return components.ExampleIndexer(original_examples=types.Channel(type=standard_artifacts.Examples), **settings)


def names_of(generated) -> tuple[str, ...]:
    return vocabulary.loads((generated.vocabulary / vocabulary.FILE_NAME).read_text()).names


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_names_and_no_ids(write, run, picture, suffix):
    train = [record(photo=picture(i), kind="ab"[i % 2].encode()) for i in range(5)]
    validation = [record(photo=picture(i), kind=kind) for i, kind in ((9, b"c"), (8, b"a"))]
    examples = write(suffix, train=train, validation=validation, other=[b"never read"])
    found = run(examples)
    assert names_of(found) == ("a", "b", "c")
    assert found.examples.splits == ["train", "eval"]
    records = found.records("train")
    assert set(records) == {index.content_hash(picture(i)) for i in range(5)}
    assert records[index.content_hash(picture(3))] == {
        "image/encoded": [picture(3)],
        "image/format": [b"png"],
        "image/height": [4],
        "image/width": [6],
        "image/class/label": [1],
        "image/class/text": [b"b"],
        "image/source_id": [index.content_hash(picture(3)).encode()],
    }
    (rows,) = found.index_shards("eval")
    assert {row["source_id"]: (row["labels"], row["split"]) for row in rows} == {
        index.content_hash(picture(9)): ([2], "eval"),
        index.content_hash(picture(8)): ([0], "eval"),
    }
    assert found.rejections() == {}


def test_integers_several_labels_ids_and_what_cannot_be_taken(write, run, picture, tmp_path):
    (tmp_path / "names.txt").write_text("ant\nbee\ncow\n")
    train = [
        record(photo=picture(0), kind=[2, 0], key=b"first"),
        record(photo=picture(1), kind=[1], key=b"second"),
        record(photo=b"no image", kind=[1], key=b"broken"),
    ]
    examples = write(train=train, validation=[record(photo=picture(3), kind=[1], key=b"third")])
    settings = {"names": str(tmp_path / "names.txt"), "id_key": "key", "several_labels": True, "max_rejected": 0.5}
    found = run(examples, **settings)
    assert names_of(found) == ("ant", "bee", "cow")
    labels = {name: features["image/class/label"] for name, features in found.records("train").items()}
    assert labels == {"first": [2, 0], "second": [1]}
    assert {name: row["reason"] for name, row in found.rejections().items()} == {"broken": "not_an_image"}


def test_the_files_are_those_of_an_example_gen(write, run, generate, picture):
    records = [record(photo=picture(i), kind=b"ab"[i % 2 : i % 2 + 1]) for i in range(8)]
    examples = write(train=records[:6], validation=records[6:])
    reader = TFRecordReader(
        tfrecords=f"{examples.uri}/Split-{{split}}/*",
        splits=SPLITS,
        compression="none",
        image_key="photo",
        label_key="kind",
    )
    assert run(examples, shards=2).files() == generate(reader, shards=2).files()


def test_shares_are_of_all_images_of_all_splits(write, run, picture):
    records = [record(photo=picture(i), kind=b"ab"[i % 2 : i % 2 + 1]) for i in range(40)]
    found = run(write(train=records[:10], validation=records[10:]), splits={"train": 0.7, "eval": 0.3})
    ids = {split: set(found.records(split)) for split in ("train", "eval")}
    assert ids["train"] | ids["eval"] == {index.content_hash(picture(i)) for i in range(40)}
    assert not ids["train"] & ids["eval"] and len(ids["train"]) > len(ids["eval"]) > 0


def test_wrong_examples(write, run, picture):
    good = record(photo=picture(0), kind=b"a")
    with pytest.raises(
        ValueError, match=r"^splits\.eval: the Examples have no split 'validation'; they have dev, train"
    ):
        run(write(train=[good], dev=[good]))
    with pytest.raises(ValueError, match=r"^image_key: .* has no feature 'photo'; its first record has kind"):
        run(write(train=[record(kind=b"a")], validation=[good]))
    with pytest.raises(ValueError, match=r"^names: null, and 'kind' of .* has integers"):
        run(write(train=[record(photo=picture(0), kind=0)], validation=[good]))

    proto = write(train=[good], validation=[good])
    examples_utils.set_payload_format(proto, example_gen_pb2.PayloadFormat.FORMAT_PROTO)
    with pytest.raises(ValueError, match=r"^original_examples: their payload format is FORMAT_PROTO, but"):
        run(proto)

    mixed = write(train=[good], validation=[good])
    path = pathlib.Path(mixed.uri) / "Split-validation" / "data_tfrecord-00000-of-00002"
    path.rename(f"{path}.gz")
    with pytest.raises(ValueError, match=r"^original_examples: some files below .* end with \.gz, and some do not"):
        run(mixed)


def test_shards_that_are_not_there(write, run, picture):
    records = [record(photo=picture(i), kind=b"aabb"[i % 4 : i % 4 + 1]) for i in range(8)]
    examples = write(train=records[:4], validation=records[4:])
    path = pathlib.Path(examples.uri) / "Split-train" / "data_tfrecord-00001-of-00002"
    path.unlink()
    with pytest.raises(ValueError, match=r"^tfrecords: \S*/Split-train/data_tfrecord-00001-of-00002 is not there"):
        run(examples)
    path.touch()
    found = run(examples)
    assert set(found.records("train")) == {index.content_hash(picture(i)) for i in (0, 2)}
    findings = json.loads((found.index / data_report.SUMMARY_FILE).read_text())["findings"]
    assert [(finding["kind"], finding["count"], finding["examples"]) for finding in findings] == [
        ("empty_file", 1, [str(path)]),
        ("single_image", 2, ["a", "b"]),
    ]

    packed = write(".gz", train=records[:4], validation=records[4:])
    (pathlib.Path(packed.uri) / "Split-validation" / "data_tfrecord-00000-of-00002.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"^tfrecords: \S*data_tfrecord-00000-of-00002\.gz: 0 bytes are no gzip file"):
        run(packed)


def test_wrong_settings_fail_when_it_is_made(tmp_path):
    for settings, message in (
        ({"splits": {"train": "train"}}, "splits\n.*lacks eval"),
        ({"splits": {"train": "train", "eval": 0.1}}, "mixes shares with names"),
        ({"image_key": 1}, "image_key"),
        ({"names": str(tmp_path / "gone.txt")}, "^names: .*gone.txt' cannot be read"),
        ({"max_pixels": 0}, "^max_pixels: 0 is not in"),
        ({"max_rejected": 2}, "^max_rejected: 2 is no share"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**settings)


def test_its_parameters_say_what_the_files_depend_on(tmp_path):
    names, tree = tmp_path / "names.txt", tmp_path / "tree.csv"
    names.write_text("ant\nbee\n")
    tree.write_text("name,parent\nant,insect\n")
    node = make(names=str(names), hierarchy=HierarchyFile(str(tree)), label_key="kind", shards=3)
    properties = dict(node.exec_properties)
    assert readers.loads(properties.pop("dataset")) == TFRecordReader(
        tfrecords="Split-{split}/*", splits={"train": "train", "eval": "eval"}, label_key="kind", names=str(names)
    )
    assert json.loads(properties.pop("hierarchy")) == {"file": str(tree), "titles": None, "encoding": "utf-8"}
    first = properties.pop("fingerprint")
    assert properties == {
        "shards": 3,
        "max_pixels": image_check.MOST_PIXELS // 2,
        "max_rejected": 0.01,
        "check": "full",
        "perceptual_hashes": 0,
        "scale_16_bit": "max",
        "working": None,
        "code_version": code_version("components.example_gen.indexer"),
    }
    names.write_text("ant\nbug\n")
    second = make(names=str(names), hierarchy=HierarchyFile(str(tree))).exec_properties["fingerprint"]
    tree.write_text("name,parent\nbug,insect\n")
    third = make(names=str(names), hierarchy=HierarchyFile(str(tree))).exec_properties["fingerprint"]
    assert len({first, second, third}) == 3
    assert {name: channel.type for name, channel in node.outputs.items()} == {
        "examples": standard_artifacts.Examples,
        "index": components.ExampleIndex,
        "vocabulary": components.LabelVocabulary,
        "rejected": components.Rejected,
    }
    assert node.executor_spec.executor_class is indexer.Executor
