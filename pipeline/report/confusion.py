"""The confusion matrix of a model from its kept predictions. Pure."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from components.transfer_report import block

MOST_CLASSES = 300  # of which a matrix is shown; of more, those with the most mistakes


def count_confusions(table: pa.Table, classes: int) -> np.ndarray:
    """Returns int64 [true class, predicted class] → images, of a table of `predicted_labels.SCHEMA`."""
    label, predicted = (table[name].to_numpy().astype(np.int64) for name in ("label", "predicted"))
    return np.bincount(label * classes + predicted, minlength=classes**2).reshape(classes, classes)


def list_pairs(matrix: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """Returns the `count` most confused pairs as (true class, predicted class, images), the largest first."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = (divmod(int(at), len(wrong)) for at in order)
    return [(true, predicted, int(wrong[true, predicted])) for true, predicted in pairs if wrong[true, predicted]]


def find_examples(table: pa.Table, true: int, predicted: int, count: int) -> list[str]:
    """Returns the ids of `count` images of a pair, those first of which the model was most sure."""
    label, guess, sure = (table[name].to_numpy() for name in ("label", "predicted", "probability"))
    rows = np.flatnonzero((label == true) & (guess == predicted))
    rows = rows[np.argsort(-sure[rows], kind="stable")][:count]
    return table["id"].take(pa.array(rows)).to_pylist()


def choose_classes(matrix: np.ndarray, most: int = MOST_CLASSES) -> np.ndarray:
    """Returns the classes that are shown, ascending: all, or the `most` with the most mistakes."""
    if len(matrix) <= most:
        return np.arange(len(matrix))
    wrong = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * np.diag(matrix)
    return np.sort(np.argsort(-wrong, kind="stable")[:most])


def describe(
    arm: str, matrix: np.ndarray, names: Sequence[str], pairs: Sequence[block.ConfusedPair]
) -> block.Confusion:
    """Returns the matrix of an arm's model with its most confused pairs."""
    shown = choose_classes(matrix)
    rows = matrix[np.ix_(shown, shown)]
    return block.Confusion(arm, [names[i] for i in shown], rows.tolist(), pairs)
