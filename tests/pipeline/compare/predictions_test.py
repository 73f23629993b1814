"""The predictions of a comparison's models, by cell."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.compare import predictions
from pipeline.compare.rows import Cell

FIRST = Cell("digits", "entire_source", 0, None, 0.1)
SECOND = Cell("digits", "same_distribution", 7, 5, 1e-05)
IDS = ["b", "c", "a"]
LABELS = np.array([1, 2, 0])


def write(folder, cell=FIRST, ids=IDS, labels=LABELS, predicted=(1, 0, 0)):
    predictions.write(folder, cell, ids, labels, np.array(predicted), np.full(len(ids), 0.5))


def test_a_file_is_named_by_its_cell(tmp_path):
    write(tmp_path)
    write(tmp_path, SECOND)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == [
        "predictions/digits/entire_source/seed-0-shots-all-rate-0.1.parquet",
        "predictions/digits/same_distribution/seed-7-shots-5-rate-1e-05.parquet",
    ]


def test_rows_are_read_by_id(tmp_path):
    write(tmp_path)
    assert predictions.read(tmp_path, FIRST).to_pydict() == {
        "id": ["a", "b", "c"],
        "label": [0, 1, 2],
        "predicted": [0, 1, 0],
        "probability": [0.5, 0.5, 0.5],
    }


def test_cells_are_aligned_by_id_whatever_the_order(tmp_path):
    write(tmp_path)
    write(tmp_path, SECOND, ids=["c", "a", "b"], labels=np.array([2, 0, 1]), predicted=(2, 1, 1))
    found = predictions.correct(tmp_path, [SECOND, FIRST])
    assert found.ids == ("a", "b", "c")
    assert found.labels.tolist() == [0, 1, 2]
    assert found.correct.tolist() == [[False, True, True], [True, True, False]]
    assert predictions.correct(tmp_path, [FIRST, SECOND]).correct.tolist() == found.correct.tolist()[::-1]


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        (["c", "a"], [2, 0], r"seed-7.*: lacks 'b' in .*seed-0-shots-all-rate-0\.1\.parquet; .* delete both files"),
        (["c", "a", "b", "d"], [2, 0, 1, 0], r"seed-7.*: has 'd', which is missing in .*seed-0"),
        (["c", "a", "b"], [2, 0, 2], r"seed-7.*: 'b' has the label 2, but 1 in .*seed-0.* delete both files"),
    ],
    ids=["fewer", "more", "relabelled"],
)
def test_other_images_or_labels_are_an_error(tmp_path, ids, labels, message):
    write(tmp_path)
    write(tmp_path, SECOND, ids, np.array(labels), [0] * len(ids))
    with pytest.raises(ValueError, match=message):
        predictions.correct(tmp_path, [FIRST, SECOND])


def test_predictions_that_do_not_fit_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"entire_source.*'predicted': 2.*give one of each"):
        write(tmp_path, predicted=(1, 0))
    with pytest.raises(ValueError, match="the id 'b' stands twice"):
        write(tmp_path, ids=["a", "b", "b"])
    assert not list(tmp_path.iterdir())


def test_a_missing_or_damaged_file_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"seed-0.*: not there; run `specialist compare` again"):
        predictions.correct(tmp_path, [FIRST])
    write(tmp_path)
    path = predictions.path(tmp_path, FIRST)
    whole = pq.read_table(path)
    pq.write_table(whole.drop(["label"]), path)
    with pytest.raises(ValueError, match=r"seed-0.*: has the columns \['id', 'predicted', 'probability'\], not"):
        predictions.read(tmp_path, FIRST)
    pq.write_table(whole.take([0, 1, 1]), path)
    with pytest.raises(ValueError, match=r"seed-0.*: an id stands twice; delete the file"):
        predictions.read(tmp_path, FIRST)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"seed-0.*: is damaged .*; delete the file"):
        predictions.read(tmp_path, FIRST)
    with pytest.raises(ValueError, match="cells: none"):
        predictions.correct(tmp_path, [])
