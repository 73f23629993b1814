"""What the ExampleGen writes of fixed data, record by record and row by row: every kind of data, whatever writes it.

The images are made here byte by byte, so that no version of an encoder counts.
"""

import base64
import csv
import hashlib
import json
import pathlib
import zlib

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from components import records, storage
from components.artifacts import data_report, examples, index, rejected, vocabulary
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.manifest import ManifestReader
from components.example_gen.readers.tfrecords import TFRecordReader
from components.example_gen.readers.uris import UriListReader

NAMES = ["ant", "bee", "cow"]
SPLITS = {"train": "train", "eval": "validation[:50%]", "test": "validation[50%:]"}
SHARDS = 5
NEW_COLUMNS = {"flattened", "offset", "length"}  # of the index, since the digests were taken
# A grey JPEG of 16 × 8 pixels.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeX"
    "BkeFxlZ2P/wAALCAAIABABAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAv/EACAQAAEDBAIDAAAAAAAAAAAAAAECAxEABAUhMVEUQoH/2gAIAQEA"
    "AD8AVvgbXHW/kXq22Gh7LMSYmB2dHQ3QVmwhwN4iyS4Enb1wDCueEgg9GSflf//Z"
)
DIGESTS = {
    "dataset": "f9a9bcc66a77cadaf1e263b82c8e9592",
    "folder": "3b2875ce97f9ae2057d412ee48b1c11c",
    "manifest": "e7ebd4f33fd51dd43cc6ad47a8e72213",
    "tfrecords": "6a733888c4c472a68dbbf1aa9d8639db",
    "uris": "e7ebd4f33fd51dd43cc6ad47a8e72213",  # whose ids are the manifest's
}


def png(value: int, height: int, width: int) -> bytes:
    """Returns a PNG whose pixels `value` decides, stored without compression."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = b"".join(bytes([0, *((value * 7 + 31 * y * x + x) % 256 for x in range(width))]) for y in range(height))
    stored = b"\x78\x01\x01" + len(rows).to_bytes(2, "little") + (len(rows) ^ 0xFFFF).to_bytes(2, "little") + rows
    chunks = [(b"IHDR", header), (b"IDAT", stored + zlib.adler32(rows).to_bytes(4, "big")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big") for name, data in chunks
    )


def jpeg(value: int) -> bytes:
    """Returns a JPEG of always the same pixels, with `value` as a comment."""
    return JPEG[:2] + b"\xff\xfe\x00\x06" + value.to_bytes(4, "big") + JPEG[2:]


def image(i: int) -> bytes:
    if i % 37 == 11:
        return png(i, 9, 7)[:-30]
    if i % 53 == 17:
        return b"no image, but text"
    if i % 61 == 31:
        return b""
    value = i - 40 if i % 29 == 3 and i > 40 else i  # the same again, further down
    return jpeg(value) if value % 5 < 3 else png(value, 4 + value % 3, 5 + value % 4)


# (own split, label, path, encoded) of 220 images: 150 to train on.
IMAGES = [
    (own, name, f"{own}/{name}/{i}.img", image(i))
    for i in range(220)
    for own, name in [("train" if i < 150 else "validation", NAMES[[0, 1, 2, 2, 0, 1, 2, 2, 2, 1][i % 10]])]
]


def write_files(root: pathlib.Path) -> None:
    for _, _, path, encoded in IMAGES:
        (root / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / path).write_bytes(encoded)
    (root / "names.txt").write_text("\n".join(NAMES) + "\n")
    with open(root / "images.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "kind", "part"])
        rows.writerows([f"images/{path}", name, own] for own, name, path, _ in IMAGES)
    for own in ("train", "validation"):
        of_own = [row for row in IMAGES if row[0] == own]
        (root / f"list-{own}.txt").write_text("\n".join(f"images/{path}\t{name}" for _, name, path, _ in of_own))
        for shard in range(2):
            with tf.io.TFRecordWriter(str(root / f"{own}-{shard}.rec")) as writer:
                for number, row in enumerate(of_own[shard::2]):
                    writer.write(example(number, *row[1:]))


def example(number: int, name: str, path: str, encoded: bytes) -> bytes:
    key = "images/repeated" if number % 20 == 7 else path  # some ids stand in a split several times
    features = {
        "jpg": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "cls": tf.train.Feature(int64_list=tf.train.Int64List(value=[NAMES.index(name)])),
        "key": tf.train.Feature(bytes_list=tf.train.BytesList(value=[key.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("golden")
    write_files(folder)
    return folder


@pytest.fixture
def reader(request, root, prepare):
    kind = request.param
    if kind == "dataset":
        features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(names=NAMES)}
        rows = {
            own: [{"image": encoded, "label": name} for o, name, _, encoded in IMAGES if o == own]
            for own in ("train", "validation")
        }
        return prepare(rows, features, splits={"train": "train", "eval": "validation[:40]", "test": "validation[40:]"})
    return {
        "folder": lambda: FolderReader(folder=f"{root}/images", splits=SPLITS),
        "manifest": lambda: ManifestReader(
            manifest=f"{root}/images.csv", splits=SPLITS, image_key="file", label_key="kind", split_key="part"
        ),
        "tfrecords": lambda: TFRecordReader(
            tfrecords=f"{root}/{{split}}-*.rec",
            splits=SPLITS,
            compression="none",
            image_key="jpg",
            label_key="cls",
            id_key="key",
            names=f"{root}/names.txt",
        ),
        "uris": lambda: UriListReader(uris=f"{root}/list-{{split}}.txt", splits=SPLITS),
    }[kind]()


def digest(generated, root: str) -> str:
    """Returns a hash of all records and all rows in their order, and of the small files."""
    found = hashlib.sha256()

    def add(value: object) -> None:
        found.update(repr(value).replace(root, "ROOT").encode() + b"\n")

    for split in SPLITS:
        for path in storage.list_files(generated.examples.path(split=split), storage.RECORD_PATTERN):
            add(("shard", split))
            for record in storage.read_records(path):
                add(record)
        for folder, module in ((generated.index, index), (generated.rejected, rejected)):
            for path in storage.list_files(str(folder / f"Split-{split}"), module.FILE_PATTERN):
                add((module.FILE_PATTERN, split))
                for row in storage.read_table(path).to_pylist():
                    add(sorted((key, value) for key, value in row.items() if key not in NEW_COLUMNS))
    for path in (generated.index / data_report.COUNTS_FILE, generated.vocabulary / vocabulary.FILE_NAME):
        add(path.read_text())
    summary = json.loads((generated.index / data_report.SUMMARY_FILE).read_text())
    summary["alike"] = []
    del summary["findings"]
    add(summary)
    return found.hexdigest()[:32]


KINDS = pytest.mark.parametrize("reader", DIGESTS, indirect=True)


@pytest.fixture
def generated(generate, reader):
    return generate(reader, shards=SHARDS, max_rejected=1.0, perceptual_hashes=True)


@KINDS
def test_the_same_records_and_rows_as_ever(generated, root, request):
    reasons = {row["reason"] for row in generated.rejections().values()}
    kind = request.node.callspec.params["reader"]
    repeated = {"dataset": {"duplicate_image"}, "tfrecords": {"duplicate_id"}}.get(kind, set())
    assert reasons == {"truncated", "not_an_image", "empty"} | repeated
    assert digest(generated, str(root)) == DIGESTS[kind]


@KINDS
def test_offset_and_length_give_the_record_whose_id_the_row_has(generated):
    for split in SPLITS:
        paths = storage.list_files(generated.examples.path(split=split), storage.RECORD_PATTERN)
        for path, rows in zip(paths, generated.index_shards(split), strict=True):
            found = [records.read(path, row["offset"], row["length"]) for row in rows]
            assert found == list(storage.read_records(path))
            ids = [examples.source_id_of(tf.train.Example.FromString(record)) for record in found]
            assert ids == [row["source_id"] for row in rows]
