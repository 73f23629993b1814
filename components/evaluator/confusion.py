"""Metrics that follow from a confusion matrix: what TFMA and Keras lack. Pure.

A matrix is (actual class, predicted class) → weighted number of examples. Entries of 0 may be absent. Every metric is
NaN if no example has a positive weight.
"""

import collections
import math
from collections.abc import Mapping

Matrix = Mapping[tuple[int, int], float]


def mean_per_class_accuracy(matrix: Matrix) -> float:
    """Returns the mean over the classes with examples of correct / examples."""
    actual, _, correct = _sum_up(matrix)
    accuracies = [correct[label] / actual[label] for label in sorted(actual)]
    return math.fsum(accuracies) / len(accuracies) if accuracies else math.nan


def f1_macro(matrix: Matrix) -> float:
    """Returns the mean of 2 · correct / (actual + predicted) over the classes with examples or predictions."""
    actual, predicted, correct = _sum_up(matrix)
    scores = [2 * correct[label] / (actual[label] + predicted[label]) for label in sorted({*actual, *predicted})]
    return math.fsum(scores) / len(scores) if scores else math.nan


def cohen_kappa(matrix: Matrix) -> float:
    """Returns (p − e) / (1 − e): p is the accuracy, and e that of a guess with the same shares of classes (Cohen 1960).

    It is 0 if both are 1: all examples are of one class, and no other is predicted.
    """
    actual, predicted, correct = _sum_up(matrix)
    total = math.fsum(actual.values())
    if not total:
        return math.nan
    accuracy = math.fsum(correct.values()) / total
    by_chance = math.fsum(actual[label] * predicted[label] for label in sorted(actual)) / total**2
    return 0.0 if by_chance == 1 else (accuracy - by_chance) / (1 - by_chance)


def matthews(matrix: Matrix) -> float:
    """Returns the correlation of actual and predicted classes (Gorodkin 2004, R_K; Matthews 1975 for two classes).

    It is 0 if all examples are of one class, or if one class is predicted for all.
    """
    actual, predicted, correct = _sum_up(matrix)
    total = math.fsum(actual.values())
    if not total:
        return math.nan
    covariance = math.fsum(correct.values()) * total - math.fsum(actual[k] * predicted[k] for k in sorted(actual))
    spread = [total**2 - math.fsum(value**2 for value in counts.values()) for counts in (actual, predicted)]
    return covariance / math.sqrt(spread[0] * spread[1]) if all(spread) else 0.0


def _sum_up(matrix: Matrix) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    """Returns class → the weight of its examples, of its predictions, and of those that are both."""
    actual: dict[int, float] = collections.defaultdict(float)
    predicted: dict[int, float] = collections.defaultdict(float)
    correct: dict[int, float] = collections.defaultdict(float)
    for (label, guess), weight in matrix.items():
        if weight > 0:
            actual[label] += weight
            predicted[guess] += weight
            correct[label] += weight * (label == guess)
    return actual, predicted, correct
