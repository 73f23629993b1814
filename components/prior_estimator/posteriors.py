"""Posteriors of logits, a chunk of images at a time. Pure.

Logits stay the float16 they are stored in: 18,291 labels × 20,000 images are 0.7 GB of them, and would be 2.9 GB of
float64 posteriors. A chunk is computed in float64 and forgotten.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse
import scipy.special

ACTIVATIONS = ("softmax", "sigmoid")
_CHUNK_CELLS = 1 << 22


def check(logits: np.ndarray, temperature: float, argument: str = "logits") -> None:
    """Refuses logits and temperatures that have no posteriors.

    Raises:
      ValueError: as for `check_rows`, or the temperature is not a positive number.
    """
    check_rows(logits, argument)
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: {temperature}; it must be a positive number")


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
    """Yields slices that cover `images` rows of `width` numbers, some megabytes each."""
    length = max(1, _CHUNK_CELLS // width)
    for start in range(0, images, length):
        yield slice(start, min(start + length, images))


def chunks(
    logits: np.ndarray, temperature: float, activation: str = "softmax", among: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields (rows, float64 [rows, labels] posteriors of these rows).

    Args:
      logits: [images, labels], of any float type; see `check`.
      temperature: what they are divided by.
      activation: 'softmax', or 'sigmoid' for labels that do not exclude each other.
      among: bool [labels], the labels that the softmax runs over; the others get 0.

    Raises:
      ValueError: `activation` is neither.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation: {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
    for rows in spans(*logits.shape):
        chunk = logits[rows].astype(np.float64)
        chunk /= temperature
        if activation == "sigmoid":
            yield rows, scipy.special.expit(chunk, out=chunk)
            continue
        if among is not None:
            chunk[:, ~among] = -np.inf
        chunk -= chunk.max(axis=1, keepdims=True)
        np.exp(chunk, out=chunk)
        chunk /= chunk.sum(axis=1, keepdims=True)
        yield rows, chunk


def weighted_sums(
    logits: np.ndarray, temperature: float, weights: np.ndarray | scipy.sparse.spmatrix, activation: str = "softmax"
) -> tuple[np.ndarray, np.ndarray]:
    """Sums the posteriors p(x) of all images x, and their squared lengths, once for each row of `weights`.

    Args:
      weights: [images] or [sums, images], dense or sparse by columns.

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
    """Returns the mean posterior of groups of images, and how much sampling makes it vary.

    Args:
      members: which image is in which group, as a 0/1 matrix [groups, images]; no group is empty.

    Returns:
      float64 [groups, labels]; and the trace of each mean's covariance, float64 [groups], which is estimated from the
      group's own images: a group of one has the average variance of the others.
    """
    sums, squares = weighted_sums(logits, temperature, members)
    count = np.asarray(members.sum(axis=1)).ravel()
    mean = sums / count[:, None]
    scatter = np.maximum(squares - count * np.square(mean).sum(axis=1), 0)
    pooled = scatter.sum() / max(1, (count - 1).sum())
    return mean, np.where(count > 1, scatter / np.maximum(count - 1, 1), pooled) / count


def incidence(labels: np.ndarray, rows: np.ndarray | None, num_images: int, num_labels: int) -> scipy.sparse.csc_matrix:
    """Returns which image has which label, as a 0/1 matrix [labels, images].

    Args:
      labels: int [pairs], the label of each (image, label) pair.
      rows: int [pairs], the image of each pair; None: one label an image, in their order.

    Raises:
      ValueError: there is no pair, the lengths do not fit, or a label is outside 0..num_labels-1.
    """
    if rows is None:
        rows = np.arange(num_images)
    if not len(labels) or len(labels) != len(rows):
        raise ValueError(f"labels: {len(labels)} of them for {len(rows)} rows; each image needs its label")
    outside = (labels < 0) | (labels >= num_labels)
    if outside.any():
        raise ValueError(f"labels: {int(labels[outside][0])} is outside the vocabulary of {num_labels} labels")
    return scipy.sparse.csc_matrix((np.ones(len(labels)), (labels, rows)), shape=(num_labels, num_images))
