import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts import predictions

IDS = ["a", "b", "c"]
LOGITS = np.array([[1.5, -2.0], [0.25, 3.0], [70_000.0, -70_000.0]])
EMBEDDINGS = np.arange(12, dtype=np.float32).reshape(3, 4)


def through_a_file(table: pa.Table) -> pa.Table:
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(file)


def test_logits_and_embeddings_come_back_as_float16():
    read = through_a_file(predictions.table(IDS, LOGITS, EMBEDDINGS))
    limit = float(np.finfo(np.float16).max)
    assert predictions.logits_of(read).dtype == np.float16
    assert predictions.logits_of(read).tolist() == [[1.5, -2.0], [0.25, 3.0], [limit, -limit]]
    assert predictions.embeddings_of(read).dtype == np.float16
    assert np.array_equal(predictions.embeddings_of(read), EMBEDDINGS)
    assert predictions.has_embeddings(read)
    assert read["source_id"].to_pylist() == IDS


def test_parts_of_several_tables():
    table = predictions.table(IDS, LOGITS, EMBEDDINGS)
    joined = pa.concat_tables([table[1:], table[:2]])
    assert np.array_equal(predictions.embeddings_of(joined), EMBEDDINGS[[1, 2, 0, 1]])
    assert predictions.logits_of(joined)[[0, 2, 3]].tolist() == [[0.25, 3.0], [1.5, -2.0], [0.25, 3.0]]


def test_no_rows():
    table = through_a_file(predictions.table([], np.empty((0, 5)), np.empty((0, 3))))
    assert predictions.logits_of(table).shape == (0, 5)
    assert predictions.embeddings_of(table).shape == (0, 3)


def test_logits_in_another_order():
    table = predictions.table(IDS, LOGITS, EMBEDDINGS)
    swapped = predictions.reorder_logits(table, np.array([1, 0]))
    assert np.array_equal(predictions.logits_of(swapped), predictions.logits_of(table)[:, ::-1])
    assert np.array_equal(predictions.embeddings_of(swapped), EMBEDDINGS)
    assert swapped["source_id"].to_pylist() == IDS
    assert predictions.reorder_logits(table, np.array([0, 1])) is table
    with pytest.raises(ValueError, match="logits: 2 per example, but the classifier has 3 labels"):
        predictions.reorder_logits(table, np.array([0, 2, 1]))


def test_a_table_without_embeddings():
    table = through_a_file(predictions.table(IDS, LOGITS))
    assert table.column_names == ["source_id", "logits"]
    assert not predictions.has_embeddings(table)
    with pytest.raises(ValueError, match="predictions: no column 'embedding' among source_id, logits"):
        predictions.embeddings_of(table)


def test_a_table_without_logits():
    with pytest.raises(ValueError, match="predictions: no column 'logits' among source_id"):
        predictions.logits_of(pa.table({"source_id": IDS}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((IDS, LOGITS[:2]), r"logits: shape \(2, 2\) for 3 examples"),
        ((IDS, LOGITS[:, 0]), r"logits: shape \(3,\) for 3 examples"),
        ((IDS, np.where(LOGITS == 3.0, np.nan, LOGITS)), "logits: those of 'b' are not finite"),
        ((IDS, LOGITS, EMBEDDINGS[:1]), r"embedding: shape \(1, 4\) for 3 examples"),
        ((IDS, LOGITS, np.where(EMBEDDINGS == 9, np.inf, EMBEDDINGS)), "embedding: those of 'c' are not finite"),
    ],
)
def test_input_that_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        predictions.table(*arguments)
