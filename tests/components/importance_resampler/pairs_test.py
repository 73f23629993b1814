import numpy as np
import pyarrow as pa
import pytest

from components.importance_resampler import pairs as pairs_module
from components.importance_resampler.pairs import Pairs

SEVERAL = [[2], [0, 3], [3], [1, 0, 2]]


@pytest.fixture(params=[1 << 20, 2], ids=["one part", "many parts"])
def part_size(request, monkeypatch):
    monkeypatch.setattr(pairs_module, "_PART", request.param)


def test_counts(make_pairs, part_size):
    counts = make_pairs(SEVERAL, 5).counts
    assert counts.tolist() == [2, 1, 2, 2, 0]
    assert counts.dtype == np.int64


def test_sums_over_labels(make_pairs, part_size):
    assert make_pairs(SEVERAL, 5).label_sums(np.array([1, 10, 100, 1000])).tolist() == [1010, 1000, 1001, 110, 0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(SEVERAL, [4, 1 + 8, 8, 2 + 1 + 4]), ([[2], [0], [3]], [4, 1, 8])],
    ids=["several labels", "one label"],
)
def test_sums_over_examples(make_pairs, labels, expected):
    pairs = make_pairs(labels, 5)
    sums = pairs.example_sums((1 << pairs.labels).astype(np.int32))
    assert sums.tolist() == expected
    assert sums.dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(SEVERAL, [4, 0, 0, 1]), ([[2], [0], [3]], [4, 3, 0])],
    ids=["several labels", "one label"],
)
def test_best_ranks(make_pairs, labels, expected):
    assert make_pairs(labels, 5).best_ranks(np.array([3, 1, 4, 0, 2], np.int32)).tolist() == expected


def test_rows_in_any_order():
    pairs = Pairs(
        rows=np.array([2, 0, 1], np.int32),
        labels=np.array([5, 6, 7], np.int32),
        keys=np.array([30, 10, 20], np.uint64),
        num_labels=8,
    )
    assert pairs.example_sums(pairs.labels).tolist() == [6, 7, 5]
    assert pairs.best_ranks(np.arange(8, dtype=np.int32)).tolist() == [6, 7, 5]


def test_from_an_index():
    table = pa.table(
        {
            "key": pa.array([7, 2**64 - 1, 9], pa.uint64()),
            "labels": pa.array([[1], [0, 2], [2]], pa.list_(pa.int32())),
        }
    )
    pairs = Pairs.of_index(pa.concat_tables([table.slice(0, 1), table.slice(1)]), 3)
    assert pairs.rows.tolist() == [0, 1, 1, 2]
    assert pairs.labels.tolist() == [1, 0, 2, 2]
    assert pairs.keys.tolist() == [7, 2**64 - 1, 9]
    assert not pairs.single_label


@pytest.mark.parametrize(
    ("labels", "ids", "message"),
    [
        ([[0], [], [1]], None, "row 1 has no label"),
        ([[0], [4]], None, "labels: 4 is outside the vocabulary of 4 labels"),
        ([[-1], [1]], None, "labels: -1 is outside"),
        ([[0], [1], [2]], [5, 6, 5], "rows 0 and 2 have the same id"),
        ([[0], [1, 2, 1]], None, "row 1 has label 1 twice"),
        ([], None, "no examples"),
    ],
)
def test_errors(make_pairs, labels, ids, message):
    with pytest.raises(ValueError, match=message):
        make_pairs(labels, 4, ids)


def test_columns_of_different_length():
    with pytest.raises(ValueError, match="labels: 1 of them for 2 rows"):
        Pairs(np.zeros(2, np.int32), np.zeros(1, np.int32), np.zeros(1, np.uint64), 1)
