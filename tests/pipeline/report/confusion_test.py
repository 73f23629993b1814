"""The confusion matrix of kept predictions."""

import numpy as np

from components.artifacts import predicted_labels
from pipeline.report import confusion

#         id   true predicted sure
ROWS = [
    ("a", 0, 0, 0.9),
    ("b", 0, 2, 0.6),
    ("c", 0, 2, 0.8),
    ("d", 1, 1, 0.5),
    ("e", 2, 1, 0.7),
    ("f", 2, 2, 0.9),
]
TABLE = predicted_labels.table(
    [row[0] for row in ROWS], *(np.array([row[i] for row in ROWS]) for i in (1, 2)), np.array([row[3] for row in ROWS])
)
MATRIX = np.array([[1, 0, 2], [0, 1, 0], [0, 1, 1]])


def test_the_matrix():
    np.testing.assert_array_equal(confusion.count_confusions(TABLE, 3), MATRIX)


def test_a_class_without_images():
    assert confusion.count_confusions(TABLE, 4).tolist()[3] == [0, 0, 0, 0]


def test_the_most_confused_pairs():
    assert confusion.list_pairs(MATRIX, 8) == [(0, 2, 2), (2, 1, 1)]
    assert confusion.list_pairs(MATRIX, 1) == [(0, 2, 2)]
    assert confusion.list_pairs(np.eye(3, dtype=np.int64), 8) == []


def test_examples_of_a_pair():
    assert confusion.find_examples(TABLE, 0, 2, 3) == ["c", "b"]  # the surest first
    assert confusion.find_examples(TABLE, 0, 2, 1) == ["c"]
    assert confusion.find_examples(TABLE, 1, 0, 3) == []


def test_of_many_classes_those_with_mistakes_are_shown():
    assert confusion.choose_classes(MATRIX).tolist() == [0, 1, 2]
    assert confusion.choose_classes(MATRIX, 2).tolist() == [0, 2]
    shown = confusion.describe("same_distribution", MATRIX, ["x", "y", "z"], [])
    assert shown.rows == ((1, 0, 2), (0, 1, 0), (0, 1, 1))
