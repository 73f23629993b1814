"""Computes posteriors from logits, a chunk of images at a time. Pure.

The logits stay in float16, as they are stored: for 18,291 labels × 20,000 images they take 0.7 GB, and posteriors in
float64 would take 2.9 GB. Each chunk is computed in float64 and then dropped.
"""

import numbers
from collections.abc import Iterator

import numpy as np
import scipy.sparse
import scipy.special

ACTIVATIONS = ("softmax", "sigmoid")
_CHUNK_CELLS = 1 << 22


def check(logits: np.ndarray, temperature: float, argument: str = "logits") -> None:
    """Checks logits and the temperature.

    Raises:
      ValueError: as for `check_rows`, or the temperature is not a positive number.
    """
    check_rows(logits, argument)
    check_temperature(temperature)


def check_temperature(temperature: float) -> None:
    """Checks a temperature.

    Raises:
      ValueError: it is not a positive number.
    """
    is_number = isinstance(temperature, numbers.Real) and not isinstance(temperature, bool)
    if not (is_number and np.isfinite(temperature) and temperature > 0):
        raise ValueError(
            f"temperature: {temperature!r}; it must be a positive number (or 'fitted', of a PriorEstimator)"
        )


def check_rows(array: np.ndarray, argument: str) -> None:
    """Refuses what is not a finite number for each image and column.

    Raises:
      ValueError: `array` is no numpy array, has not two dimensions with at least one row and column, or is not finite.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{argument}: a {type(array).__name__}; give a numpy array, as np.asarray makes it")
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{argument}: shape {array.shape}; expected a row an image, at least one, and two dimensions")
    for rows in spans(*array.shape):
        finite = np.isfinite(array[rows]).all(axis=1)
        if not finite.all():
            raise ValueError(f"{argument}: row {rows.start + int(np.argmin(finite))} is not finite")


def spans(images: int, width: int) -> Iterator[slice]:
    """Yields slices that cover `images` rows of `width` numbers, a few megabytes each."""
    length = max(1, _CHUNK_CELLS // width)
    for start in range(0, images, length):
        yield slice(start, min(start + length, images))


def chunks(
    logits: np.ndarray, temperature: float, activation: str = "softmax", support: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields (rows, their posteriors, float64 [rows, labels]).

    Args:
      logits: [images, labels], of any float type; see `check`.
      temperature: the logits are divided by it.
      activation: 'softmax', or 'sigmoid' for labels that do not exclude each other.
      support: bool [labels], the labels of the softmax; the others get 0. None: all labels.

    Raises:
      ValueError: the activation is unknown.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
    for rows in spans(*logits.shape):
        chunk = logits[rows].astype(np.float64)
        chunk /= temperature
        if activation == "sigmoid":
            yield rows, scipy.special.expit(chunk, out=chunk)
            continue
        if support is not None:
            chunk[:, ~support] = -np.inf
        chunk -= chunk.max(axis=1, keepdims=True)
        np.exp(chunk, out=chunk)
        chunk /= chunk.sum(axis=1, keepdims=True)
        yield rows, chunk


def weighted_sums(
    logits: np.ndarray, temperature: float, weights: np.ndarray | scipy.sparse.spmatrix, activation: str = "softmax"
) -> tuple[np.ndarray, np.ndarray]:
    """Returns weighted sums of the posteriors p(x) of all images x, and of their squared lengths.

    Args:
      weights: [images] or [sums, images], dense or in the sparse CSC format.

    Returns:
      Σ_x weight(x) p(x), float64 [labels] or [sums, labels]; and Σ_x weight(x) ‖p(x)‖², float64 [] or [sums].
    """
    sums = np.zeros((*weights.shape[:-1], logits.shape[1]))
    squares = np.zeros(weights.shape[:-1])
    for rows, chunk in chunks(logits, temperature, activation):
        share = weights[..., rows]
        sums += share @ chunk
        squares += share @ np.einsum("ij,ij->i", chunk, chunk)
    return sums, squares


def means(logits: np.ndarray, temperature: float, members: scipy.sparse.csc_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean posterior of each group of images, and the sampling variance of the mean.

    Args:
      members: 0/1 matrix [groups, images]: 1 if the image is in the group. No group is empty.

    Returns:
      float64 [groups, labels]; and the trace of each mean's covariance, float64 [groups], estimated from the group's
      own images. A group with one image gets the pooled variance of all groups.
    """
    sums, squares = weighted_sums(logits, temperature, members)
    count = np.asarray(members.sum(axis=1)).ravel()
    mean = sums / count[:, None]
    scatter = np.maximum(squares - count * np.square(mean).sum(axis=1), 0)
    pooled = scatter.sum() / max(1, (count - 1).sum())
    return mean, np.where(count > 1, scatter / np.maximum(count - 1, 1), pooled) / count


def incidence(labels: np.ndarray, rows: np.ndarray | None, num_images: int, num_labels: int) -> scipy.sparse.csc_matrix:
    """Returns the 0/1 matrix [labels, images] that has a 1 where an image has a label.

    Args:
      labels: int [pairs], the label of each (image, label) pair.
      rows: int [pairs], the image of each pair. None: image i has label i of `labels`.

    Raises:
      ValueError: there is no pair, the lengths differ, or a label is outside 0..num_labels-1.
    """
    if rows is None:
        rows = np.arange(num_images)
    if not len(labels) or len(labels) != len(rows):
        raise ValueError(f"labels: {len(labels)} of them for {len(rows)} rows; each image needs its label")
    outside = (labels < 0) | (labels >= num_labels)
    if outside.any():
        raise ValueError(f"labels: {int(labels[outside][0])} is outside the vocabulary of {num_labels} labels")
    return scipy.sparse.csc_matrix((np.ones(len(labels)), (labels, rows)), shape=(num_labels, num_images))
