import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import metrics as reference

from components.evaluator import confusion

METRICS = (confusion.mean_per_class_accuracy, confusion.f1_macro, confusion.cohen_kappa, confusion.matthews)
# Nine examples of class 0, five of 1 and two of 4; class 3 is predicted once, and 2 neither occurs nor is predicted.
MATRIX = {(0, 0): 6, (0, 1): 3, (1, 1): 2, (1, 0): 2, (1, 3): 1, (4, 4): 1, (4, 0): 1, (2, 2): 0.0}


def test_values_by_hand():
    assert confusion.mean_per_class_accuracy(MATRIX) == pytest.approx((6 / 9 + 2 / 5 + 1 / 2) / 3)
    assert confusion.f1_macro(MATRIX) == pytest.approx((12 / 18 + 4 / 10 + 2 / 3 + 0) / 4)
    by_chance = (9 * 9 + 5 * 5 + 2 * 1) / 16**2
    assert confusion.cohen_kappa(MATRIX) == pytest.approx((9 / 16 - by_chance) / (1 - by_chance))
    spread = (16**2 - 81 - 25 - 4) * (16**2 - 81 - 25 - 1 - 1)
    assert confusion.matthews(MATRIX) == pytest.approx((9 * 16 - 108) / math.sqrt(spread))


def test_actual_and_predicted_are_not_mixed_up():
    # By predicted class it would be (1/1 + 0 + 1/3) / 3.
    assert confusion.mean_per_class_accuracy({(0, 0): 1, (0, 2): 2, (2, 2): 1, (0, 1): 4}) == (1 / 7 + 1) / 2


@pytest.mark.parametrize("metric", METRICS)
def test_no_examples_at_all(metric):
    assert math.isnan(metric({}))
    assert math.isnan(metric({(0, 0): 0.0}))


@pytest.mark.parametrize("metric", [confusion.cohen_kappa, confusion.matthews])
def test_one_class_tells_nothing(metric):
    assert metric({(2, 2): 7}) == 0
    assert metric({(2, 2): 7, (2, 1): 1}) == 0
    assert metric({(0, 2): 7, (2, 2): 1}) == 0


@hypothesis.given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30))
def test_as_scikit_learn_has_them(pairs):
    actual, predicted = zip(*pairs, strict=True)
    hypothesis.assume(len(set(actual)) > 1)  # else scikit-learn divides by 0
    matrix: dict[tuple[int, int], float] = {}
    for pair in pairs:
        matrix[pair] = matrix.get(pair, 0.0) + 1
    assert confusion.mean_per_class_accuracy(matrix) == pytest.approx(
        np.mean([reference.recall_score(actual, predicted, labels=[k], average=None)[0] for k in set(actual)])
    )
    assert confusion.f1_macro(matrix) == pytest.approx(reference.f1_score(actual, predicted, average="macro"))
    assert confusion.cohen_kappa(matrix) == pytest.approx(reference.cohen_kappa_score(actual, predicted), abs=1e-12)
    assert confusion.matthews(matrix) == pytest.approx(reference.matthews_corrcoef(actual, predicted), abs=1e-12)
