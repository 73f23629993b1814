"""Data on a file system that is not this machine's: TensorFlow's ram://, made known to Beam."""

import csv
import io
import os

import pytest
import ram  # noqa: F401 - Beam knows ram:// then
import tensorflow as tf

from components.example_gen import readers
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.manifest import ManifestReader
from components.example_gen.readers.tfrecords import TFRecordReader
from components.example_gen.readers.uris import UriListReader

ROOT = "ram://bucket/data [1]*"  # patterns to a glob, plain names to an object store
SPLITS = {"train": "train", "eval": "held"}


def write(path: str, content: bytes) -> str:
    tf.io.gfile.makedirs(os.path.dirname(f"{ROOT}/{path}"))  # else ram:// does not list it
    with tf.io.gfile.GFile(f"{ROOT}/{path}", "wb") as file:
        file.write(content)
    return f"{ROOT}/{path}"


@pytest.fixture(scope="module")
def images(picture) -> dict[str, bytes]:
    """Path → image: 12 to train on, 6 held back, of two classes; one in three is of bees."""
    paths = (
        f"{own}/{'bee' if i % 3 == 2 else 'ant'}/{i}.png" for own, n in (("train", 12), ("held", 6)) for i in range(n)
    )
    return {path: picture(number, 5, 7 + number % 2) for number, path in enumerate(paths)}


@pytest.fixture(scope="module")
def data(images) -> dict[str, readers.Reader]:
    """Kind → the images, in that shape; two manifests, of which one is on this machine."""
    for path, image in images.items():
        write(f"images/{path}", image)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label", "split"])
    rows.writerows([f"images/{path}", path.split("/")[1], path.split("/")[0]] for path in images)
    manifest = write("images.csv", table.getvalue().encode())
    for own in SPLITS.values():
        of_own = [path for path in images if path.startswith(own)]
        write(f"list-{own}.txt", "\n".join(f"{ROOT}/images/{path}" for path in of_own).encode())
        with tf.io.TFRecordWriter(write(f"records-{own}.gz", b""), "GZIP") as writer:
            for path in of_own:
                features = {
                    "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[images[path]])),
                    "image/class/label": tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[path.split("/")[1].encode()])
                    ),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return {
        "folder": FolderReader(folder=f"{ROOT}/images", splits=SPLITS),
        "manifest": ManifestReader(manifest=manifest, splits=SPLITS, split_key="split"),
        # Here the pattern is the user's own.
        "tfrecords": TFRecordReader(tfrecords="ram://bucket/data [[]1]?/records-{split}.gz", splits=SPLITS),
        "uris": UriListReader(uris=f"{ROOT}/list-{{split}}.txt", splits=SPLITS),
    }


@pytest.mark.parametrize("kind", ["folder", "manifest", "tfrecords", "uris"])
def test_the_same_examples_as_from_a_disk(data, images, generate, kind):
    made = generate(data[kind])
    for split, own in SPLITS.items():
        found = {
            (record["image/encoded"][0], record["image/class/text"][0].decode())
            for record in made.records(split).values()
        }
        assert found == {(image, path.split("/")[1]) for path, image in images.items() if path.startswith(own)}
    assert made.rejections() == {}


@pytest.mark.parametrize("kind", ["folder", "manifest", "tfrecords", "uris"])
def test_a_changed_object_is_noticed(data, kind):
    before = data[kind].fingerprint()
    assert data[kind].fingerprint() == before
    path = "records-held.gz" if kind == "tfrecords" else "images/held/ant/0.png"
    with tf.io.gfile.GFile(f"{ROOT}/{path}", "rb") as file:
        content = file.read()
    write(path, content + b"\0")
    assert data[kind].fingerprint() != before
    write(path, content)


def test_what_is_not_there_is_set_aside(picture, generate):
    rows = [(write(f"few/{i}.png", picture(i)), "ab"[i % 2]) for i in range(20)]
    rows += [(f"{ROOT}/few/gone.png", "a"), ("few/../../out.png", "a")]
    manifest = write("few.csv", "\n".join(["path,label", *map(",".join, rows)]).encode())
    made = generate(ManifestReader(manifest=manifest, splits={"train": 0.5, "eval": 0.5}), max_rejected=1.0)
    found = {source_id: (row["reason"], row["uri"]) for source_id, row in made.rejections().items()}
    assert found == {
        f"{ROOT}/few/gone.png": ("unreadable", f"{ROOT}/few/gone.png"),
        "few/../../out.png": ("outside_root", f"{ROOT}/few/../../out.png"),
    }
    assert sum(len(made.records(split)) for split in ("train", "eval")) == 20
