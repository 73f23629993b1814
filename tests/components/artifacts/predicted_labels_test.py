import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.artifacts import predicted_labels


def test_the_table_through_a_file():
    labels, predicted = np.array([2, 0, 17_999], np.int64), np.array([2, 1, 0], np.int64)
    file = io.BytesIO()
    pq.write_table(predicted_labels.table(["a", "é", "c"], labels, predicted, np.array([1.0, 0.25, 0.1])), file)
    read = pq.read_table(file)
    assert read.schema.equals(predicted_labels.SCHEMA)
    assert read.to_pydict() == {
        "id": ["a", "é", "c"],
        "label": [2, 0, 17_999],
        "predicted": [2, 1, 0],
        "probability": [1.0, 0.25, float(np.float32(0.1))],
    }


def test_the_file_of_a_split():
    assert predicted_labels.file_name("eval") == "predictions-eval.parquet"


def test_columns_of_different_lengths():
    with pytest.raises(ValueError, match=r"different lengths, \{'id': 2, 'label': 2, 'predicted': 3, 'probability'"):
        predicted_labels.table(["a", "b"], np.zeros(2, int), np.zeros(3, int), np.zeros(2))
