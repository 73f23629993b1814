"""Public data sets, as TFDS describes them, through the ExampleGen: mocked, or prepared from small files."""

import csv
import io
import json
import tarfile
from unittest import mock

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import vocabulary
from components.example_gen.readers.tfds import TfdsPart, TfdsReader
from components.example_gen.splits import Rule

KEYS = {
    *("image/encoded", "image/format", "image/height", "image/width"),
    *("image/class/label", "image/class/text", "image/source_id"),
}


@pytest.fixture
def checked(generate):
    def run(dataset: TfdsReader, hierarchy: dict | None = None):
        """Runs the ExampleGen, checks that index and Examples say the same; returns (split → records, vocabulary)."""
        made = generate(dataset, shards=1, hierarchy=hierarchy, max_pixels=1_000_000, max_rejected=0.0)
        labels = vocabulary.loads((made.vocabulary / vocabulary.FILE_NAME).read_text(encoding="utf-8"))
        found = {}
        for split in dataset.splits:
            ((found[split],), (rows,)) = made.shards(split), made.index_shards(split)
            for record, row in zip(found[split], rows, strict=True):
                assert record.keys() == KEYS
                assert record["image/class/text"] == [labels.names[i].encode() for i in record["image/class/label"]]
                assert row["labels"] == record["image/class/label"]
                assert row["source_id"].encode() == record["image/source_id"][0]
                height, width, _ = tf.io.decode_image(record["image/encoded"][0]).shape
                assert (height, width) == (row["height"], row["width"])
                assert (height, width) == (record["image/height"][0], record["image/width"][0])
        return found, labels

    return run


@pytest.fixture
def mocked(mocked_tfds, monkeypatch):
    # Each part would be the same five examples again.
    def parts(dataset: TfdsReader) -> list[TfdsPart]:
        return [TfdsPart(expression, {split: Rule(None)}) for split, expression in dataset.splits.items()]

    monkeypatch.setattr(TfdsReader, "parts", parts)
    return mocked_tfds


@pytest.mark.parametrize(
    ("name", "evaluated", "id_key", "size", "first", "image_format"),
    [
        ("cifar10", "test", "id", 10, "0", b"png"),  # its names come with the download
        ("oxford_iiit_pet", "test", "file_name", 37, "Abyssinian", b"jpeg"),
        ("cars196", "test", None, 196, "AM General Hummer SUV 2000", b"png"),
        ("food101", "validation", None, 101, "apple_pie", b"png"),
        ("imagenet2012", "validation", "file_name", 1000, "n01440764", b"jpeg"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_single_label_sets(mocked, checked, name, evaluated, id_key, size, first, image_format):
    data_dir = mocked(name, "train", evaluated)
    splits = {"train": "train", "eval": evaluated}
    dataset = TfdsReader(dataset=name, splits=splits, data_dir=data_dir, id_key=id_key)
    assert not dataset.allows_several_labels()
    found, labels = checked(dataset)
    assert (len(labels), labels.names[0]) == (size, first)
    for records in found.values():
        assert len({record["image/source_id"][0] for record in records}) == 5
        assert {record["image/format"][0] for record in records} == {image_format}
        assert all(len(record["image/class/label"]) == 1 for record in records)


def test_imagenet_under_wordnet(mocked, checked, tmp_path):
    (tmp_path / "is_a.txt").write_text("n01503061 n01514668\nn01503061 n01514859\nn00015388 n01503061\n")
    (tmp_path / "words.txt").write_text("n01503061\tbird\nn01514668\tcock\nn01514859\then, biddy\nn00015388\tanimal\n")
    splits = {"train": "train", "eval": "validation"}
    dataset = TfdsReader(dataset="imagenet2012", splits=splits, data_dir=mocked("imagenet2012", "train", "validation"))
    files = {"file": str(tmp_path / "is_a.txt"), "titles": str(tmp_path / "words.txt")}
    _, labels = checked(dataset, files)
    assert labels.names[6:10] == ("n01498041", "cock", "hen", "n01518878")
    assert vocabulary.descendants(labels, ["bird"]) == vocabulary.descendants(labels, ["animal"]) == (7, 8)


OWL, DUCK, BIRD, CAR, WHEEL = "/m/09d5_", "/m/09ddx", "/m/015p6", "/m/0k4j", "/m/083wq"
# Image → the labels that people and machines give it; 0: it is not there.
PEOPLE = {"0a": {OWL: 1, CAR: 0}, "0b": {CAR: 1, WHEEL: 1}, "10": {DUCK: 1, OWL: 0}, "f1": {BIRD: 1}}
MACHINES = {"0a": {CAR: 0.9, WHEEL: 0.6}, "0b": {CAR: 0.8}, "10": {BIRD: 0.7, OWL: 0.9}, "f2": {WHEEL: 0.6}}


@pytest.fixture
def open_images(tmp_path, picture) -> TfdsReader:
    """Prepared by TFDS's own builder from archives and tables of the published shape."""
    columns = ["ImageID", "Source", "LabelName", "Confidence"]
    images = {"train": ["0a", "0b", "10", "f1", "f2"], "validation": ["0b"], "test": ["10"]}

    def table(name: str, rows: list[list]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        (tmp_path / name).write_text(text.getvalue())
        return str(tmp_path / name)

    def archive(name: str, ids: list[str]) -> str:
        with tarfile.open(tmp_path / name, "w") as tar:
            for image_id in ids:
                image = picture(23 * int(image_id, 16), image_format="JPEG")
                entry = tarfile.TarInfo(f"{name}/{image_id}.jpg")
                entry.size = len(image)
                tar.addfile(entry, io.BytesIO(image))
        return str(tmp_path / name)

    paths = {}
    for split, ids in images.items():
        for kind, source, given in (("human", "verification", PEOPLE), ("machine", "machine", MACHINES)):
            rows = [[i, source, label, value] for i in ids for label, value in given.get(i, {}).items()]
            paths[f"{split}_{kind}_labels"] = table(f"{split}_{kind}.csv", rows)
        paths[f"{split}-annotations-bbox"] = table(f"{split}_boxes.csv", [])
        of = (lambda digit, ids=ids: [i for i in ids if i[0] == digit]) if split == "train" else lambda _, ids=ids: ids
        archives = [archive(f"{split}{digit}.tar", of(digit)) for digit in "0123456789abcdef"]
        paths[f"{split}_images"] = archives if split == "train" else archives[0]
    builder = tfds.builder("open_images_v4/original", data_dir=tmp_path)
    manager = "tensorflow_datasets.core.download.DownloadManager.download_and_extract"
    with mock.patch(manager, lambda self, urls: paths):
        builder.download_and_prepare()
    return TfdsReader(
        dataset="open_images_v4/original",
        splits={"train": "train", "eval": "validation", "test": "test"},
        data_dir=str(tmp_path),
        label_key="objects_trainable/label",
        id_key="image/filename",
        min_confidence=6,
    )


def test_open_images_with_its_hierarchy(open_images, checked, tmp_path):
    tree = {
        "LabelName": "/m/0bl9f",
        "Subcategory": [
            {"LabelName": "/m/0jbk", "Subcategory": [{"LabelName": BIRD, "Subcategory": [{"LabelName": OWL}]}]},
            {"LabelName": "/m/hunter", "Subcategory": [{"LabelName": OWL}]},
            {"LabelName": "/m/07yv9", "Subcategory": [{"LabelName": CAR, "Part": [{"LabelName": WHEEL}]}]},
        ],
    }
    (tmp_path / "hierarchy.json").write_text(json.dumps(tree))
    titles = {OWL: "Owl", BIRD: "Bird", CAR: "Car", WHEEL: "Wheel", "/m/0jbk": "Animal", "/m/07yv9": "Vehicle"}
    (tmp_path / "titles.csv").write_text("".join(f"{name},{title}\n" for name, title in titles.items()))
    files = {"file": str(tmp_path / "hierarchy.json"), "titles": str(tmp_path / "titles.csv")}
    found, labels = checked(open_images, files)
    assert len(labels) == 7186
    texts = {
        split: {r["image/source_id"][0].decode(): {text.decode() for text in r["image/class/text"]} for r in records}
        for split, records in found.items()
    }
    assert texts == {
        "train": {
            "0a.jpg": {"Owl", "Wheel"},
            "0b.jpg": {"Car", "Wheel"},
            "10.jpg": {DUCK, "Bird"},
            "f1.jpg": {"Bird"},
            "f2.jpg": {"Wheel"},
        },
        "eval": {"0b.jpg": {"Car", "Wheel"}},
        "test": {"10.jpg": {DUCK, "Bird"}},
    }
    below = {node: {labels.names[i] for i in vocabulary.descendants(labels, [node])} for node in ("Animal", "Vehicle")}
    assert below == {"Animal": {"Animal", "Bird", "Owl"}, "Vehicle": {"Vehicle", "Car"}}
    assert vocabulary.descendants(labels, ["/m/hunter"]) == (labels.names.index("Owl"),)
    assert labels.above["/m/hunter"] == ("/m/0bl9f",)
