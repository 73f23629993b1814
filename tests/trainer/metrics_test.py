import math

import numpy as np
import pytest

from trainer import metrics

# Seven classes: more than five, so that the top 5 can miss; nothing is of the classes 3 to 6.
BY_RANK = np.log([0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03])


def ranked(label: int, rank: int) -> np.ndarray:
    """The logits of an example whose `label` is at `rank`, from 0."""
    return np.insert(np.delete(BY_RANK, rank), label, BY_RANK[rank])


def test_exact_values():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    ranks = [0, 0, 0, 0, 1, 0, 2, 5, 4, 6]
    logits = np.stack([ranked(label, rank) for label, rank in zip(labels, ranks, strict=True)])
    # A shift of an example's logits changes none of its probabilities.
    assert metrics.compute(logits + np.arange(10)[:, None], labels) == metrics.Metrics(
        examples=10,
        accuracy=0.5,
        top_5_accuracy=0.8,
        mean_per_class_accuracy=pytest.approx((4 / 5 + 1 / 3 + 0) / 3, abs=1e-12),
        cross_entropy=pytest.approx(-BY_RANK[ranks].mean(), abs=1e-12),
    )


def test_of_equal_logits_the_lower_class_comes_first():
    logits = np.array([[2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [2.0, 2.0, 1.0]])
    result = metrics.compute(logits, np.array([0, 1, 2]))
    assert result.accuracy == pytest.approx(1 / 3)
    assert result.mean_per_class_accuracy == pytest.approx(1 / 3)
    # A network that says the same of all seven classes.
    assert metrics.compute(np.zeros((7, 7)), np.arange(7)).top_5_accuracy == pytest.approx(5 / 7)


def test_a_class_without_examples_does_not_count_however_often_it_is_predicted():
    logits = np.eye(4)[[3, 3, 1, 3]]
    result = metrics.compute(logits, np.array([0, 0, 1, 3]))
    assert result.mean_per_class_accuracy == pytest.approx((0 + 1 + 1) / 3)
    assert result.accuracy == 0.5


def test_up_to_five_classes_are_always_among_the_first_five():
    assert metrics.compute(np.array([[4.0, 3.0, 2.0, 1.0, 0.0]]), np.array([4])).top_5_accuracy == 1


def test_large_float32_logits_do_not_overflow():
    logits = np.array([[1000.0, 0.0], [1000.0, 1000.0]], np.float32)
    assert metrics.compute(logits, np.array([1, 0])).cross_entropy == pytest.approx((1000 + math.log(2)) / 2)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), r"shape \(0, 3\) for 0 labels; .* not empty"),
        (np.zeros((2, 3)), np.array([0]), r"shape \(2, 3\) for 1 labels"),
        (np.zeros(3), np.array([0, 1, 2]), r"shape \(3,\) for 3 labels"),
        (np.zeros((2, 3)), np.array([0, 3]), r"labels: 0\.\.3 outside the 3 classes"),
        (np.zeros((2, 3)), np.array([-1, 2]), r"labels: -1\.\.2 outside the 3 classes"),
    ],
    ids=["empty", "lengths", "one dimension", "label too high", "label negative"],
)
def test_inputs_that_are_refused(logits, labels, message):
    with pytest.raises(ValueError, match=message):
        metrics.compute(logits, labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_model_is_not_taken_for_a_perfect_one(value):
    logits = np.array([[0.0, 1.0], [value, value], [0.0, value]])
    with pytest.raises(ValueError, match="not finite for 2 of 3 examples"):
        metrics.compute(logits, np.array([1, 0, 0]))
