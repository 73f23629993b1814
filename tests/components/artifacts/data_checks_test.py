"""What no classifier can be learned from, or judged by."""

import numpy as np
import pytest

from components.artifacts import data_checks

NAMES = ("ant", "bee", "Bee", "cow")
IN_FOLDERS = ("images/ant", "images/bee", "ant", "cow")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train": [3, 0, 0, 0], "eval": [1, 1, 0, 0]}, r"^splits\.train: of the 4 labels only 'ant' has images in it"),
        (
            {"train": [3, 1, 0, 0], "eval": [0, 0, 0, 2]},
            r"^splits\.eval: none of its labels \('cow'\) is in train, whi",
        ),
        (
            {"train": [3, 1, 0, 0], "eval": [1, 0, 0, 0], "test": [0, 0, 1, 2]},
            r"^splits\.test: none of its labels \('Bee', 'cow'\) is in train, .* 'bee'; they differ only in case",
        ),
    ],
    ids=["one in train", "none meets", "another case"],
)
def test_labels_that_cannot_be_learned(counts, message):
    with pytest.raises(ValueError, match=message):
        data_checks.check_labels({split: np.array(found) for split, found in counts.items()}, NAMES)


@pytest.mark.parametrize(
    "counts",
    [
        {"train": [3, 1, 0, 0], "eval": [0, 1, 0, 2], "test": [0, 0, 0, 0]},
        {"train": [0.7, 0.2, 0, 0], "eval": [0.3, 0.1, 0, 0]},
        {"eval": [0, 0, 0, 2]},
        {},
    ],
    ids=["some meet", "expected", "train is unknown", "nothing is known"],
)
def test_labels_that_are_enough(counts):
    data_checks.check_labels({split: np.array(found) for split, found in counts.items()}, NAMES)


def test_a_single_label():
    with pytest.raises(ValueError, match=r"^labels: the data have 'ant' and no other; .* two labels at least"):
        data_checks.check_labels({}, ("ant",))


def test_labels_that_differ_in_the_folders_above_them():
    counts = {"train": np.array([2, 1, 0, 0]), "eval": np.array([0, 0, 1, 1])}
    with pytest.raises(ValueError, match=r"^splits\.eval: none of its labels \('ant', 'cow'\) .* only in the folders"):
        data_checks.check_labels(counts, IN_FOLDERS)


def test_many_labels_are_not_all_told():
    names = tuple(f"n{i}" for i in range(1200))
    counts = {"train": np.arange(1200) < 1100, "eval": np.arange(1200) >= 1100}
    with pytest.raises(ValueError, match=r"\('n1100', 'n1101', 'n1102', 'n1103', 'n1104', … 100 in all\)"):
        data_checks.check_labels(counts, names)


def test_a_split_without_images():
    data_checks.check_splits({"train": 2, "eval": 1}, {"train": {"empty": 3}})
    with pytest.raises(ValueError, match=r"^splits\.eval: no image of the data belongs to it"):
        data_checks.check_splits({"train": 2, "eval": 0}, {"train": {"empty": 3}, "eval": {}})
    with pytest.raises(ValueError, match=r"^splits\.eval: all of its 1,003 images were set aside \(empty 1,001, tru"):
        data_checks.check_splits({"train": 2, "eval": 0}, {"eval": {"empty": 1001, "truncated": 2}})
