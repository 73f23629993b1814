"""What no data set can be learned from: too few labels, an empty split, splits whose labels do not meet. Pure."""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

LEAST_LABELS = 2
_SHOWN = 5  # labels in a message


def check_labels(label_counts: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    """Checks that the splits have labels from which a classifier can be learned, and those alone it can be judged by.

    Args:
      label_counts: our split → number of images of each label, [labels]; splits of which that is unknown are left out.
      names: of the labels.

    Raises:
      ValueError: train has fewer than two labels, or another split has no label of those in train.
    """
    if len(names) < LEAST_LABELS:
        raise ValueError(
            f"labels: the data have {_list(names)} and no other; a classifier needs two labels at least: give data "
            "with more, or name what holds the labels (a folder for each class, label_key)"
        )
    present = {split: np.flatnonzero(counts) for split, counts in label_counts.items()}
    train = present.get("train")
    if train is None or not len(train):
        return
    if len(train) < LEAST_LABELS:
        raise ValueError(
            f"splits.train: of the {len(names)} labels only {_list([names[label] for label in train.tolist()])} has "
            "images in it; a classifier needs two at least: choose the splits so that train has images of all labels"
        )
    for split, labels in present.items():
        if not len(labels) or len(np.intersect1d(labels, train)):
            continue
        own, trained = ([names[label] for label in found.tolist()] for found in (labels, train))
        raise ValueError(
            f"splits.{split}: none of its labels ({_list(own)}) is in train, which has {_list(trained)}; "
            f"{_explain(own, trained)}"
        )


def check_splits(examples: Mapping[str, int], rejected: Mapping[str, Mapping[str, int]]) -> None:
    """Checks that no split is empty.

    Args:
      examples: split → number of its examples.
      rejected: split → reason → number of images that were set aside.

    Raises:
      ValueError: one is.
    """
    for split, count in examples.items():
        if count:
            continue
        if reasons := rejected.get(split):
            told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
            raise ValueError(
                f"splits.{split}: all of its {sum(reasons.values()):,} images were set aside ({told}); repair them, or "
                "give the split other images"
            )
        raise ValueError(
            f"splits.{split}: no image of the data belongs to it; give it a larger part of the data, or more images"
        )


def _explain(labels: Sequence[str], trained: Sequence[str]) -> str:
    if {_fold(name) for name in labels} & {_fold(name) for name in trained}:
        return "they differ only in case or in how characters are written: name them alike"
    if _last_names(labels) & _last_names(trained):
        return (
            "they differ only in the folders above them: a split may be a path, so name the folders in which the class "
            "folders are, as in train: train/images"
        )
    return (
        "the labels of all splits are names of the same classes: if the names of a split stand in a file of their own, "
        "write a manifest"
    )


def _last_names(labels: Sequence[str]) -> set[str]:
    return {name.rpartition("/")[2] for name in labels}


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (f", … {len(names):,} in all" if len(names) > _SHOWN else "")
