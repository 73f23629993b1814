import math

import numpy as np
import pytest

from trainer import metrics

# Seven classes: more than five, so that the top 5 can miss; nothing is of the classes 3 to 6.
BY_RANK = np.log([0.4, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03])


def compute(logits: np.ndarray, labels: np.ndarray) -> metrics.Metrics:
    """The metrics of examples with one label each, in two batches."""
    sums = metrics.Sums()
    for rows in (slice(0, 1), slice(1, None)) if len(logits) > 1 else (slice(None),):
        sums.add(logits[rows], labels[rows, None], np.ones((len(labels[rows]), 1), bool))
    return sums.metrics()


def ranked(label: int, rank: int) -> np.ndarray:
    """The logits of an example whose `label` is at `rank`, from 0."""
    return np.insert(np.delete(BY_RANK, rank), label, BY_RANK[rank])


def test_exact_values():
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    ranks = [0, 0, 0, 0, 1, 0, 2, 5, 4, 6]
    logits = np.stack([ranked(label, rank) for label, rank in zip(labels, ranks, strict=True)])
    # A shift of an example's logits changes none of its probabilities.
    assert compute(logits + np.arange(10)[:, None], labels) == metrics.Metrics(
        examples=10,
        accuracy=0.5,
        top_5_accuracy=0.8,
        mean_per_class_accuracy=pytest.approx((4 / 5 + 1 / 3 + 0) / 3, abs=1e-12),
        cross_entropy=pytest.approx(-BY_RANK[ranks].mean(), abs=1e-12),
    )


def test_of_equal_logits_the_lower_class_comes_first():
    logits = np.array([[2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [2.0, 2.0, 1.0]])
    result = compute(logits, np.array([0, 1, 2]))
    assert result.accuracy == pytest.approx(1 / 3)
    assert result.mean_per_class_accuracy == pytest.approx(1 / 3)
    # A network that says the same of all seven classes.
    assert compute(np.zeros((7, 7)), np.arange(7)).top_5_accuracy == pytest.approx(5 / 7)


def test_a_class_without_examples_does_not_count_however_often_it_is_predicted():
    logits = np.eye(4)[[3, 3, 1, 3]]
    result = compute(logits, np.array([0, 0, 1, 3]))
    assert result.mean_per_class_accuracy == pytest.approx((0 + 1 + 1) / 3)
    assert result.accuracy == 0.5


def test_up_to_five_classes_are_always_among_the_first_five():
    assert compute(np.array([[4.0, 3.0, 2.0, 1.0, 0.0]]), np.array([4])).top_5_accuracy == 1


def test_large_float32_logits_do_not_overflow():
    logits = np.array([[1000.0, 0.0], [1000.0, 1000.0]], np.float32)
    assert compute(logits, np.array([1, 0])).cross_entropy == pytest.approx((1000 + math.log(2)) / 2)


def test_of_several_labels_one_is_enough_and_each_counts_for_its_class():
    logits = np.array([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0, -1.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    labels = np.array([[1, 2, 0], [6, 0, 5]])  # the last number of the first row is padding
    has = np.array([[True, True, False], [True, True, True]])
    sums = metrics.Sums()
    sums.add(logits, labels, has)
    found = sums.metrics()
    assert found.examples == 2
    assert found.accuracy == 0.5  # 0 is first in the first row, and not one of its labels
    assert found.top_5_accuracy == 1.0
    # Of the first row, 1 is among the first two, 2 is not; of the second, 6 and 5 are among the first three, 0 is not.
    assert found.mean_per_class_accuracy == pytest.approx((1 + 0 + 1 + 0 + 1) / 5)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(log_p[0, [1, 2]].mean() + log_p[1, [6, 0, 5]].mean()) / 2
    assert found.cross_entropy == pytest.approx(expected, abs=1e-12)


def test_the_cross_entropy_of_sigmoids_is_that_of_every_class():
    logits = np.array([[2.0, -1.0, 0.5], [-1000.0, 1000.0, 0.0]])
    sums = metrics.Sums("sigmoid")
    sums.add(logits, np.array([[0, 2], [1, 0]]), np.array([[True, True], [True, False]]))
    sigmoid = 1 / (1 + np.exp(-logits[0]))
    expected = -np.log(sigmoid[0]) - np.log(1 - sigmoid[1]) - np.log(sigmoid[2]) + math.log(2)
    assert sums.metrics().cross_entropy == pytest.approx(expected / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("logits", "labels", "has", "message"),
    [
        (np.zeros((2, 3)), [[0]], [[True]], r"shape \(2, 3\) for labels \(1, 1\)"),
        (np.zeros(3), [[0]], [[True]], r"shape \(3,\) for labels"),
        (np.zeros((1, 3)), [[0, 1]], [[True]], r"for labels \(1, 2\)"),
        (np.zeros((2, 3)), [[0], [3]], [[True]] * 2, r"labels: 0\.\.3 outside the 3 classes"),
        (np.zeros((2, 3)), [[-1], [2]], [[True]] * 2, r"labels: -1\.\.2 outside the 3 classes"),
        (np.zeros((2, 3)), [[0, 0], [1, 2]], [[False, False], [True, False]], "labels: 1 of 2 examples have none"),
    ],
    ids=["lengths", "one dimension", "which of them", "label too high", "label negative", "no label"],
)
def test_inputs_that_are_refused(logits, labels, has, message):
    with pytest.raises(ValueError, match=message):
        metrics.Sums().add(logits, np.array(labels), np.array(has))


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="there is no example"):
        metrics.Sums().metrics()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_broken_model_is_not_taken_for_a_perfect_one(value):
    logits = np.array([[0.0, 1.0], [value, value], [0.0, value]])
    with pytest.raises(ValueError, match="not finite for 2 of 2 examples"):
        compute(logits, np.array([1, 0, 0]))


def test_the_first_ranked_label_and_its_probability():
    logits = np.array([np.log([0.2, 0.7, 0.1]), [3.0, -1.0, 3.0], [800.0, 0.0, -800.0]], np.float32)
    predicted, probability = metrics.predict_labels(logits)
    assert predicted.tolist() == [1, 0, 0]  # equal logits: the lower label
    tied = math.exp(3) / (2 * math.exp(3) + math.exp(-1))
    assert probability.dtype == np.float32
    assert probability.tolist() == pytest.approx([0.7, tied, 1.0], rel=1e-6)
    _, independent = metrics.predict_labels(logits, "sigmoid")
    assert independent.tolist() == pytest.approx([0.7 / 1.7, 1 / (1 + math.exp(-3)), 1.0], rel=1e-6)
