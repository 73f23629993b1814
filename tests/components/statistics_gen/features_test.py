"""Features of the rows of an index."""

import pyarrow as pa
import pytest

from components.artifacts import index
from components.statistics_gen import features

NAMES = ("owl", "größer", "emu")


def row(**values) -> dict:
    formats = {"format": "png", "original_format": "gif", "converted": True}
    return {"source_id": "ö12", "labels": [2], **formats, "height": 4, "width": 10, "bytes": 99, **values}


def test_each_row_by_its_features():
    other = row(labels=[1, 0], width=3, height=5, bytes=7, source_id="a", format="jpeg")
    table = index.table([row(), {**other, "original_format": "jpeg", "converted": False}])
    assert features.of_index(table, NAMES).to_pylist() == [
        {
            "image/format": [b"png"],
            "image/original_format": [b"gif"],
            "image/converted": [1],
            "image/height": [4],
            "image/width": [10],
            "image/aspect": [2.5],
            "image/bytes": [99],
            "image/class/label": [2],
            "image/class/text": [b"emu"],
            "image/source_id/length": [3],
        },
        {
            "image/format": [b"jpeg"],
            "image/original_format": [b"jpeg"],
            "image/converted": [0],
            "image/height": [5],
            "image/width": [3],
            "image/aspect": [0.6],
            "image/bytes": [7],
            "image/class/label": [1, 0],
            "image/class/text": ["größer".encode(), b"owl"],
            "image/source_id/length": [1],
        },
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"format": None}, {"image/format": None}),
        ({"original_format": None}, {"image/original_format": None}),
        ({"converted": None}, {"image/converted": None}),
        ({"bytes": None}, {"image/bytes": None}),
        ({"source_id": None}, {"image/source_id/length": None}),
        ({"source_id": ""}, {"image/source_id/length": [0]}),
        ({"height": 0}, {"image/height": [0], "image/aspect": None}),
        ({"width": -3}, {"image/width": [-3], "image/aspect": None}),
        ({"width": None}, {"image/width": None, "image/aspect": None}),
        ({"labels": None}, {"image/class/label": None, "image/class/text": None}),
        ({"labels": []}, {"image/class/label": [], "image/class/text": []}),
        ({"labels": [0, 3, -1]}, {"image/class/label": [0, 3, -1], "image/class/text": [b"owl", b"3", b"-1"]}),
    ],
    ids=[
        "format", "original-format", "converted", "bytes", "id", "empty-id", "height", "width", "no-width", "labels",
        "no-label", "labels-outside",
    ],
)  # fmt: skip
def test_what_a_row_lacks(values, expected):
    # Between two whole ones, whose features stay where they are.
    table = index.table([row(labels=[0, 1]), row(**values), row(format="jpeg", width=40)])
    first, found, last = features.of_index(table, NAMES).to_pylist()
    assert first["image/class/text"] == [b"owl", "größer".encode()]
    assert {name: found[name] for name in expected} == expected
    whole = features.of_index(index.table([row()]), NAMES).to_pylist()[0]
    assert {**found, **{name: whole[name] for name in expected}} == whole
    assert last == {**whole, "image/format": [b"jpeg"], "image/width": [40], "image/aspect": [10.0]}


def test_a_part_of_a_table_and_several_chunks():
    tables = [index.table([row(width=i, labels=[i % 3]) for i in range(1, 6)])[2:4], index.table([row(width=9)])]
    batch = features.of_index(pa.concat_tables(tables), NAMES)
    assert batch["image/width"].to_pylist() == [[3], [4], [9]]
    assert batch["image/class/label"].to_pylist() == [[0], [1], [2]]


def test_no_rows():
    batch = features.of_index(index.table([]), NAMES)
    assert batch.num_rows == 0
    assert batch.schema.names == features.of_index(index.table([row()]), NAMES).schema.names
