"""Data of one class are refused before anything is trained, by `specialist data` and by a run, whoever reads them."""

import csv
import pathlib

import pydantic
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts.findings import Finding
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.manifest import ManifestReader
from components.example_gen.readers.reader import Reader
from components.example_gen.readers.tfrecords import TFRecordReader
from components.example_gen.readers.uris import UriListReader
from pipeline.config.data import Data
from pipeline.preview import sample

Row = tuple[str, str, str, bytes]  # split, label, path, image
KINDS = ["dataset", "folder", "manifest", "tfrecords", "uris"]
NAMES = {"one label": ["ant"], "one in train": ["ant", "bee"], "one in eval": ["ant", "bee", "cow"]}
MESSAGES = {
    "one label": "labels: the data have 'ant' and no other; a classifier needs two labels at least",
    "one in train": "splits.train: of the 2 labels only 'ant' has images in it; a classifier needs two at least",
    "one in eval": "splits.eval: none of its labels ('cow') is in train, which has 'ant', 'bee'; ",
}


@pytest.fixture(params=MESSAGES)
def case(request) -> str:
    return request.param


@pytest.fixture
def rows(case, picture) -> list[Row]:
    """Nine images, of which three are in eval."""
    labels = {
        "one label": ["ant"] * 9,
        "one in train": ["ant"] * 7 + ["bee"] * 2,
        "one in eval": ["ant"] * 4 + ["bee"] * 2 + ["cow"] * 3,
    }[case]
    splits = ["train"] * 6 + ["eval"] * 3
    return [
        (split, label, f"{split}/{label}/{i}.png", picture(i))
        for i, (split, label) in enumerate(zip(splits, labels, strict=True))
    ]


def write_files(root: pathlib.Path, rows: list[Row]) -> None:
    for _, _, path, image in rows:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(image)


@pytest.fixture
def make_reader(case, rows, tmp_path, prepare):
    splits = {"train": "train", "eval": "eval"}
    (tmp_path / "names.txt").write_text("\n".join(NAMES[case]))

    def dataset() -> Reader:
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=NAMES[case]),
        }
        of_splits = {split: [{"image": i, "label": n} for own, n, _, i in rows if own == split] for split in splits}
        return prepare(of_splits, features, name=f"one_class_{list(NAMES).index(case)}")

    def folder() -> Reader:
        write_files(tmp_path / "images", rows)
        return FolderReader(folder=str(tmp_path / "images"), splits=splits)

    def manifest() -> Reader:
        write_files(tmp_path, rows)
        with open(tmp_path / "list.csv", "w", newline="") as file:
            csv.writer(file).writerows(
                [("path", "label", "split"), *((path, label, split) for split, label, path, _ in rows)]
            )
        return ManifestReader(manifest=str(tmp_path / "list.csv"), splits=splits, split_key="split")

    def tfrecords() -> Reader:
        for split in splits:
            with tf.io.TFRecordWriter(str(tmp_path / f"{split}.rec")) as writer:
                for own, label, _, image in rows:
                    if own == split:
                        writer.write(record(image, NAMES[case].index(label)))
        return TFRecordReader(
            tfrecords=str(tmp_path / "{split}.rec"),
            compression="none",
            names=str(tmp_path / "names.txt"),
            splits=splits,
        )

    def uris() -> Reader:
        write_files(tmp_path, rows)
        for split in splits:
            lines = [f"{path}\t{label}\n" for own, label, path, _ in rows if own == split]
            (tmp_path / f"{split}.txt").write_text("".join(lines))
        return UriListReader(uris=str(tmp_path / "{split}.txt"), splits=splits)

    makers = {"dataset": dataset, "folder": folder, "manifest": manifest, "tfrecords": tfrecords, "uris": uris}
    return lambda kind: makers[kind]()


def record(image: bytes, label: int) -> bytes:
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def data_of(reader: Reader) -> Data:
    return pydantic.TypeAdapter(Data).validate_python(reader.model_dump())


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_stops_as_it_was_told(kind, case, make_reader, generate):
    reader = make_reader(kind)
    (told,) = sample.preview_data(data_of(reader), 1000, False).stops
    assert told.startswith(MESSAGES[case])
    with pytest.raises(ValueError) as error:  # before the Examples are there, so that nothing can be trained
        generate(reader)
    assert str(error.value) == told


def write_sampled(root: pathlib.Path, picture, labels: list[int]) -> Data:
    (root / "names.txt").write_text("ant\nbee\ncow\n")
    for split in ("train", "eval"):
        with tf.io.TFRecordWriter(str(root / f"{split}.rec")) as writer:
            for i, label in enumerate(labels):
                writer.write(record(picture(i), label))
    reader = TFRecordReader(
        tfrecords=str(root / "{split}.rec"),
        compression="none",
        names=str(root / "names.txt"),
        splits={"train": "train", "eval": "eval"},
    )
    return data_of(reader)


@pytest.mark.parametrize(
    ("labels", "found"),
    [([1] * 60, [Finding("one_label", 1, ("bee",))]), ([1, 2] * 30, [])],
    ids=["one", "two"],
)
def test_a_sample_of_one_class_is_told(labels, found, picture, tmp_path):
    preview = sample.preview_data(write_sampled(tmp_path, picture, labels), 20, False)
    assert preview.stops == []
    assert [finding for finding in preview.findings if finding.kind == "one_label"] == found
