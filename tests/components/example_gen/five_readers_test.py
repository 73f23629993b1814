"""The same images by all five readers: the same Examples, with the bytes of the files."""

import collections
import csv
import itertools
import json
import pickle
import shutil

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components.artifacts import data_report, index, vocabulary
from components.example_gen import readers
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.manifest import ManifestReader
from components.example_gen.readers.tfrecords import TFRecordReader
from components.example_gen.readers.uris import UriListReader

NAMES = ["ant", "bee", "cow"]
SPLITS = {"train": "train", "eval": "validation[:50%]", "test": "validation[50%:]"}
KINDS = ["dataset", "folder", "manifest", "tfrecords", "uris"]


@pytest.fixture(scope="module")
def images(picture) -> list[tuple[str, str, str, bytes]]:
    """(own split, label, path, encoded) of 200 images: 140 to train on, three in ten of class 1."""
    rows = []
    for i in range(200):
        own, name = ("train" if i < 140 else "validation"), NAMES[[0, 1, 2, 2, 0, 1, 2, 2, 2, 1][i % 10]]
        image_format = ["JPEG", "PNG"][i % 2]
        path = f"{own}/{name}/{i}.{'jpg' if i % 3 else 'dat'}"  # the extension does not matter
        rows.append((own, name, path, picture(i, 5 + i % 3, 9 - i % 4, image_format)))
    return rows


@pytest.fixture(scope="module")
def data(images, prepare, tmp_path_factory) -> dict[str, readers.Reader]:
    """Kind → the images, in that shape."""
    root = tmp_path_factory.mktemp("data")
    for _, _, path, image in images:
        (root / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / path).write_bytes(image)
    (root / "images" / "train" / "ant" / ".DS_Store").write_text("not an image")

    with open(root / "images.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "kind", "part"])
        rows.writerows([f"images/{path}", name, own] for own, name, path, _ in images)

    for own in ("train", "validation"):
        of_own = [row for row in images if row[0] == own]
        lines = [
            f"{root}/images/{path}\t{name}" if i % 2 else f"images/{path}"
            for i, (_, name, path, _) in enumerate(of_own)
        ]
        (root / f"list-{own}.txt").write_text("\n".join(["# images", *lines, ""]))
        for shard in range(2):
            options = tf.io.TFRecordOptions(compression_type="ZLIB")
            with tf.io.TFRecordWriter(str(root / f"{own}-{shard}.rec"), options) as writer:
                for _, name, path, image in of_own[shard::2]:
                    feature = {
                        "jpg": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
                        "cls": tf.train.Feature(int64_list=tf.train.Int64List(value=[NAMES.index(name)])),
                        "key": tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.encode()])),
                    }
                    writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    (root / "names.txt").write_text("\n".join(NAMES) + "\n")

    features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=NAMES)}
    by_split = {
        own: [{"image": image, "label": name} for o, name, _, image in images if o == own]
        for own in ("train", "validation")
    }
    # TFDS slices by position, not by content.
    prepared = prepare(by_split, features, splits={"train": "train", "eval": "validation"})
    return {
        "dataset": prepared,
        "folder": FolderReader(folder=str(root / "images"), splits=SPLITS),
        "manifest": ManifestReader(
            manifest=str(root / "images.csv"), splits=SPLITS, image_key="file", label_key="kind", split_key="part"
        ),
        "tfrecords": TFRecordReader(
            tfrecords=str(root / "{split}-*.rec"),
            splits=SPLITS,
            compression="zlib",
            image_key="jpg",
            label_key="cls",
            id_key="key",
            names=str(root / "names.txt"),
        ),
        "uris": UriListReader(uris=str(root / "list-{split}.txt"), splits=SPLITS),
    }


@pytest.fixture(scope="module")
def generated(generate, data):
    return {kind: generate(dataset) for kind, dataset in data.items()}


def without_ids(records) -> dict[str, dict]:
    """Content → its record, without the id."""
    return {
        index.content_hash(record["image/encoded"][0]): {
            key: value for key, value in record.items() if key != "image/source_id"
        }
        for record in records
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_examples(generated, images, kind):
    splits = ["train", "eval"] if kind == "dataset" else ["train", "eval", "test"]
    found = {split: list(generated[kind].records(split).values()) for split in splits}
    expected = {
        index.content_hash(image): {
            "image/encoded": [image],
            "image/format": [b"png" if i % 2 else b"jpeg"],
            "image/height": [5 + i % 3],
            "image/width": [9 - i % 4],
            "image/class/label": [NAMES.index(name)],
            "image/class/text": [name.encode()],
        }
        for i, (_, name, _, image) in enumerate(images)
    }
    train = {index.content_hash(image) for own, _, _, image in images if own == "train"}
    assert len(expected) == 200 and len(train) == 140
    assert without_ids(found["train"]) == {key: value for key, value in expected.items() if key in train}
    other = itertools.chain.from_iterable(found[split] for split in splits[1:])
    assert without_ids(other) == {key: value for key, value in expected.items() if key not in train}
    assert sum(map(len, found.values())) == 200
    assert generated[kind].rejections() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_labels_are_known_before_anything_is_read(data, generated, kind):
    written = vocabulary.loads((generated[kind].vocabulary / vocabulary.FILE_NAME).read_text(encoding="utf-8"))
    assert data[kind].read_vocabulary() == written
    assert sorted(written.names) == sorted(NAMES)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_slices_by_content_are_the_same_for_all(generated, images, kind):
    shares = {split: set(without_ids(generated[kind].records(split).values())) for split in ("eval", "test")}
    hashes = {index.content_hash(image) for own, _, _, image in images if own == "validation"}
    assert shares == {"eval": {h for h in hashes if h < "8"}, "test": {h for h in hashes if h >= "8"}}
    assert min(map(len, shares.values())) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_vocabulary(generated, kind):
    text = (generated[kind].vocabulary / vocabulary.FILE_NAME).read_text()
    assert vocabulary.loads(text) == vocabulary.make_vocabulary(NAMES)


def test_ids(generated, images, data):
    _, _, path, image = images[0]
    root = str(data["folder"].folder)
    ids = {kind: {i for i in generated[kind].records("train")} for kind in KINDS}
    assert index.content_hash(image) in ids["dataset"]
    assert path in ids["folder"] and path in ids["tfrecords"]
    assert f"images/{path}" in ids["manifest"] and f"images/{path}" in ids["uris"]
    assert f"{root}/{images[1][2]}" in ids["uris"]
    assert all(len(found) == 140 for found in ids.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_report_counts_labels_and_splits(generated, images, kind):
    with open(generated[kind].index / data_report.COUNTS_FILE, newline="") as file:
        rows = list(csv.DictReader(file))
    expected = collections.Counter(name for own, name, _, _ in images if own == "train")
    assert {row["name"]: int(row["train"]) for row in rows} == expected == {"ant": 28, "bee": 42, "cow": 70}
    assert [row["index"] for row in rows] == ["0", "1", "2"]
    summary = json.loads((generated[kind].index / data_report.SUMMARY_FILE).read_text())
    assert summary["examples"]["train"] == 140 and sum(summary["examples"].values()) == 200
    assert set(summary["same_image"].values()) == set(summary["same_id"].values()) == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_readers_survive_json(data, kind):
    assert readers.loads(readers.dumps(data[kind])) == data[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_readers_survive_the_way_to_workers(data, kind):
    sent = pickle.loads(pickle.dumps(data[kind]))
    assert sent == data[kind] and type(sent) is readers.class_of(kind)
    one_split = dict.fromkeys(("train", "eval"), "train")
    assert sent != readers.make_reader({**dict(data[kind]), "splits": one_split})


def test_files_leave_nothing_of_the_work_behind(generated):
    for kind in KINDS:
        assert not (generated[kind].index / "work").exists()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_changed_folder_is_read_again_and_an_unchanged_one_is_not(data, kind, tmp_path):
    """Names, sizes and times count: for every kind but TFDS's, which has no times."""
    root = tmp_path / "copy"
    shutil.copytree(data["folder"].folder + "/..", root)
    text = readers.dumps(data[kind]).replace(str(data["folder"].folder).removesuffix("/images"), str(root))
    reader = readers.loads(text)
    for path in root.glob("list-*.txt"):
        path.write_text(path.read_text().replace(str(data["folder"].folder), str(root / "images")))
    first = reader.fingerprint()
    assert first == reader.fingerprint() and len(first) == 16
    changed = root / ("train-1.rec" if kind == "tfrecords" else "images/train/ant/0.dat")
    found = {first}
    changed.touch()
    found.add(reader.fingerprint())
    changed.write_bytes(changed.read_bytes() + b"x")
    found.add(reader.fingerprint())
    assert len(found) == 3


def test_an_exact_duplicate_never_lands_in_two_splits(generate, picture, tmp_path):
    for i in range(60):
        for copy in ("a", "b", "c"):
            path = tmp_path / f"class-{i % 3}" / f"{i}-{copy}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture(i))
    made = generate(FolderReader(folder=str(tmp_path), splits={"train": 0.5, "eval": 0.25, "test": 0.25}))
    contents = {split: set(without_ids(made.records(split).values())) for split in ("train", "eval", "test")}
    sizes = {split: len(made.records(split)) for split in contents}
    assert sum(sizes.values()) == 180
    assert {split: 3 * len(found) for split, found in contents.items()} == sizes
    assert sum(map(len, contents.values())) == 60 and all(contents.values())


def test_duplicates_across_the_datas_own_splits_are_counted(generate, picture, tmp_path):
    for own, numbers in {"train": range(10), "validation": range(7, 20), "test": [0, 8, 30]}.items():
        for i in numbers:
            path = tmp_path / own / ("ant", "bee")[i % 2] / f"{i}.png"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_bytes(picture(i))
    made = generate(FolderReader(folder=str(tmp_path), splits={"train": "train", "eval": "validation", "test": "test"}))
    summary = json.loads((made.index / data_report.SUMMARY_FILE).read_text())
    assert summary["same_image"] == {"train, eval": 3, "train, test": 2, "eval, test": 1}
    assert summary["same_id"] == {"train, eval": 0, "train, test": 0, "eval, test": 0}
    assert [(found["kind"], found["count"], found["where"]) for found in summary["findings"]] == [
        ("same_image", 3, "train, eval"),
        ("same_image", 2, "train, test"),
        ("same_image", 1, "eval, test"),
    ]
