"""The index: its keys, its columns, and the pairs that priors and plans are made from."""

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts import index

ROW = {
    "source_id": "a",
    "key": 2**64 - 1,
    "labels": [2, 0],
    "split": "train",
    "format": "jpeg",
    "original_format": "jpeg",
    "converted": True,
    "flattened": False,
    "height": 480,
    "width": 640,
    "bytes": 2**40,
    "content_hash": "0f" * 16,
    "perceptual_hash": 2**64 - 2,
    "perceptual_hash_flipped": None,
}
LABELS = pa.list_(pa.int32())


def labels_column(*chunks: list[list[int] | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(chunk, LABELS) for chunk in chunks], LABELS)


# From the command `b2sum -l 64`, read as a little-endian number: plans and shards of all versions hang on it.
@pytest.mark.parametrize(
    ("source_id", "key"),
    [("digit-0001", 18_188_599_650_488_093_065), ("ö/名", 13_044_353_323_171_731_069)],
    ids=["ascii", "utf-8"],
)
def test_keys_stay_what_they_are(source_id, key):
    assert index.id_key(source_id) == key


def test_content_hash():
    # From `b2sum -l 128`.
    assert index.content_hash(b"\xff\xd8 an image") == "e696e3514f640476784b8bc92ee41708"


def test_a_table_has_the_columns_of_the_contract():
    table = index.table(iter([ROW, {**ROW, "source_id": "b", "labels": [1]}]))
    places = {"offset": None, "length": None}  # not known before the records are written
    assert table.to_pylist() == [{**ROW, **places}, {**ROW, **places, "source_id": "b", "labels": [1]}]
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("source_id", "string"),
        ("key", "uint64"),
        ("labels", "list<item: int32>"),
        ("split", "string"),
        ("format", "string"),
        ("original_format", "string"),
        ("converted", "bool"),
        ("flattened", "bool"),
        ("height", "int32"),
        ("width", "int32"),
        ("bytes", "int64"),
        ("offset", "int64"),
        ("length", "int64"),
        ("content_hash", "string"),
        ("perceptual_hash", "uint64"),
        ("perceptual_hash_flipped", "uint64"),
    ]


def test_a_table_without_rows_has_the_same_columns():
    assert index.table([]).schema == index.table([ROW]).schema
    assert index.table([]).num_rows == 0


@pytest.mark.parametrize(
    ("labels", "rows", "flat"),
    [
        (pa.array([[2], [0], [2]], LABELS), [0, 1, 2], [2, 0, 2]),
        (pa.array([[2, 0], [1], [0, 1, 2]], LABELS), [0, 0, 1, 2, 2, 2], [2, 0, 1, 0, 1, 2]),
        (labels_column([[2, 0]], [], [[1], [0]]), [0, 0, 1, 2], [2, 0, 1, 0]),
        (pa.array([[9], [2, 0], [1], [9]], LABELS).slice(1, 2), [0, 0, 1], [2, 0, 1]),
        (labels_column([[9], [1, 2]], [[0], [9]]).slice(1, 2), [0, 0, 1], [1, 2, 0]),
        (pa.array([], LABELS), [], []),
        (labels_column(), [], []),
        (labels_column([], []), [], []),
    ],
    ids=["single", "multi", "chunked", "sliced", "sliced and chunked", "empty", "no chunks", "empty chunks"],
)
def test_pairs(labels, rows, flat):
    pairs = index.label_pairs(labels, 3)
    assert [pairs[0].tolist(), pairs[1].tolist()] == [rows, flat]
    assert pairs[0].dtype == pairs[1].dtype == np.int32
    counts = index.label_counts(pairs, 3)
    assert counts.tolist() == [flat.count(label) for label in range(3)]
    assert counts.dtype == np.int64


@given(st.lists(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), max_size=5), max_size=4))
def test_pairs_are_the_labels_of_each_row(chunks):
    rows = [labels for chunk in chunks for labels in chunk]
    pairs = index.label_pairs(labels_column(*chunks), 7)
    assert list(zip(*(side.tolist() for side in pairs), strict=True)) == [
        (row, label) for row, labels in enumerate(rows) for label in labels
    ]
    assert index.label_counts(pairs, 7).sum() == len(pairs[0])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (labels_column([[0], [1]], [[2], []]), r"labels: the example in row 3 has no label; each needs at least one"),
        (labels_column([[0], None]), r"labels: the example in row 1 has no label; each needs at least one"),
        (labels_column([[0]], [[1, 3]]), r"labels: 3 is outside the vocabulary of 3 labels"),
        (labels_column([[0, -1], [3]]), r"labels: -1 is outside the vocabulary of 3 labels"),
    ],
    ids=["no label", "null", "too large", "negative"],
)
def test_labels_that_cannot_be(labels, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        index.label_pairs(labels, 3)


def test_the_index_is_read_without_tensorflow():
    code = "import sys, components.artifacts.index; print({'tensorflow', 'tfx', 'apache_beam'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
