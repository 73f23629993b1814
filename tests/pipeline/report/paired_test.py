import numpy as np
import pytest
import scipy.stats

from components.artifacts import predicted_labels
from pipeline.report import paired

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2])
BASE = np.array([0, 0, 1, 1, 1, 0, 2, 2, 0, 2])  # 6 of 10
MINE = np.array([0, 0, 0, 0, 1, 0, 2, 2, 2, 0])  # 8 of 10: three more, and one less


def make_table(predicted, *, ids=None, labels=LABELS):
    ids = ids if ids is not None else [f"i{at}" for at in range(len(predicted))]
    return predicted_labels.table(ids, labels, np.asarray(predicted), np.full(len(predicted), 0.5))


def test_what_the_images_say_of_two_models():
    tables = {"base": make_table(BASE), "mine": make_table(MINE)}
    ((name, found),) = paired.pair_arms(tables, {"base": 0.6, "mine": 0.8}, "base", "accuracy").items()
    assert (name, found.gained, found.lost) == ("mine", 3, 1)
    differences = np.array([0, 0, 1, 1, 0, 0, 0, 0, 1, -1])
    half_width = scipy.stats.t.ppf(0.975, 9) * differences.std(ddof=1) / np.sqrt(10)
    assert (found.low, found.high) == (pytest.approx(0.2 - half_width), pytest.approx(0.2 + half_width))


def test_the_order_of_the_images_does_not_matter():
    order = [3, 1, 0, 2, 9, 8, 7, 4, 5, 6]
    moved = make_table(MINE[order], ids=[f"i{at}" for at in order], labels=LABELS[order])
    values = {"base": 0.6, "mine": 0.8}
    expected = paired.pair_arms({"base": make_table(BASE), "mine": make_table(MINE)}, values, "base", "accuracy")
    assert paired.pair_arms({"base": make_table(BASE), "mine": moved}, values, "base", "accuracy") == expected


def test_classes_weigh_the_same_in_their_mean():
    tables = {"base": make_table(BASE), "mine": make_table(MINE)}
    values = {"base": (0.5 + 0.5 + 0.75) / 3, "mine": (1 + 0.5 + 0.75) / 3}
    found = paired.pair_arms(tables, values, "base", "mean_per_class_accuracy")["mine"]
    assert (found.gained, found.lost) == (3, 1)
    assert (found.low + found.high) / 2 == pytest.approx(0.5 / 3)


@pytest.mark.parametrize(
    ("mine", "value"),
    [
        (make_table(MINE), 0.9),  # of another model
        (make_table(MINE, ids=[f"other{at}" for at in range(10)]), 0.8),
        (make_table(MINE[:1], labels=LABELS[:1]), 1.0),
    ],
)
def test_predictions_of_something_else_are_left_out(mine, value):
    tables = {"base": make_table(BASE), "mine": mine}
    assert paired.pair_arms(tables, {"base": 0.6, "mine": value}, "base", "accuracy") == {}


def test_without_the_reference_nothing_is_compared():
    assert paired.pair_arms({"mine": make_table(MINE)}, {"mine": 0.8}, "base", "accuracy") == {}


def test_the_interval_of_few_images_ends_where_differences_do():
    labels = np.array([0, 1, 2])
    tables = {"base": make_table([1, 2, 0], labels=labels), "mine": make_table([0, 1, 2], labels=labels)}
    found = paired.pair_arms(tables, {"base": 0.0, "mine": 1.0}, "base", "accuracy")["mine"]
    assert (found.gained, found.high) == (3, 1.0) and found.low < 0.0
    turned = paired.pair_arms(tables, {"base": 0.0, "mine": 1.0}, "mine", "accuracy")["base"]
    assert (turned.lost, turned.low) == (3, -1.0)
