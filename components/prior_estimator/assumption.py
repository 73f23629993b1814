"""Checks what all estimators of P_t assume: images of a label look the same in the source and the target. Pure."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from components.artifacts.label_prior import Assumption
from components.prior_estimator import posteriors

# Share of each dimension's variance that is replaced by the average over dimensions. A unit that no source image
# activates then neither divides by zero nor dominates.
_SHRINKAGE = 0.1


def check(
    source_embeddings: np.ndarray,
    source_labels: np.ndarray,
    target_embeddings: np.ndarray,
    predicted: np.ndarray,
    num_labels: int,
    *,
    source_rows: np.ndarray | None = None,
    threshold: float = 1.5,
    min_images: int = 5,
) -> Assumption:
    """Compares P_t(x|y) with P_s(x|y) by the embeddings of the target images that are predicted as y.

    The ratio of y is the root mean square distance of these images from the mean of the source's images of y, divided
    by that of the source's images of y from the mean of the others (leave-one-out). A label with fewer than
    `min_images` source images uses the spread of all labels together, widened for the error of its own mean. If the
    assumption holds, the ratio is about 1, or a little less, because images predicted as y resemble y. A ratio of 2
    means that the images are as far from the label's mean as with four times its variance.

    Every dimension is divided by its standard deviation within the labels. The full covariance is not used: with
    thousands of dimensions and hardly more images than labels, its small eigenvalues overfit the source's sample, and
    every other image would seem far away.

    Args:
      source_embeddings: float [images, dimensions], of any float type; of images not used to train the classifier.
      source_labels: int [pairs], the label of each (source image, label) pair.
      target_embeddings: float [images, dimensions].
      predicted: int [images], the label with the highest logit of each target image.
      num_labels: size of the vocabulary.
      source_rows: int [pairs], the source image of each pair. None: image i has label i of `source_labels`.
      threshold: ratio above which a label is flagged.
      min_images: labels with fewer target images are not flagged.

    Raises:
      ValueError: the shapes differ, a number is not finite, a label is outside the vocabulary, the threshold is not
        positive, or `min_images` is below 1.
    """
    for argument, array in (("source_embeddings", source_embeddings), ("target_embeddings", target_embeddings)):
        posteriors.check_rows(array, argument)
    if source_embeddings.shape[1] != target_embeddings.shape[1]:
        raise ValueError(
            f"target_embeddings: {target_embeddings.shape[1]} dimensions, but source_embeddings: "
            f"{source_embeddings.shape[1]}; they must come from one model"
        )
    if not threshold > 0:
        raise ValueError(f"threshold: {threshold}; it must be positive")
    if min_images < 1:
        raise ValueError(f"min_images: {min_images}; it must be at least 1")
    source = posteriors.incidence(source_labels, source_rows, len(source_embeddings), num_labels)
    target = posteriors.incidence(predicted, None, len(target_embeddings), num_labels)
    source_images, target_images = (np.asarray(members.sum(axis=1)).ravel() for members in (source, target))
    means = np.zeros((num_labels, source_embeddings.shape[1]))
    for span in posteriors.spans(*source_embeddings.shape):
        means += source[:, span] @ source_embeddings[span].astype(np.float64)
    means /= np.maximum(source_images, 1)[:, None]

    degrees_of_freedom = np.maximum(source_images - 1, 0).sum()
    variance = np.zeros(means.shape[1])
    for _, offsets in _offsets(source_embeddings, source, means):
        variance += np.square(offsets).sum(axis=0)
    if not variance.any():  # all images of a label are equal, so there is no scale to measure by
        return Assumption(target_images.astype(np.int64), np.full(num_labels, np.nan), np.zeros(num_labels, bool))
    variance = ((1 - _SHRINKAGE) * variance + _SHRINKAGE * variance.mean()) / degrees_of_freedom

    def sum_distances(embeddings: np.ndarray, members: scipy.sparse.csc_matrix) -> np.ndarray:
        """Returns the sum of squared distances from each label's source mean, float64 [labels]."""
        total = np.zeros(num_labels)
        for labels, offsets in _offsets(embeddings, members, means):
            total += np.bincount(labels, np.square(offsets) @ (1 / variance), minlength=num_labels)
        return total

    scatter = sum_distances(source_embeddings, source)
    pooled = scatter.sum() / degrees_of_freedom
    with np.errstate(divide="ignore", invalid="ignore"):  # labels without images
        # The mean of the others is n / (n - 1) times as far from an image as the mean that includes the image.
        label_spread = source_images * scatter / (source_images - 1) ** 2
        enough = (source_images >= max(2, min_images)) & (scatter > 0)
        spread = np.where(enough, label_spread, pooled * (1 + 1 / source_images))
        ratio = np.sqrt(sum_distances(target_embeddings, target) / target_images / spread)
    ratio[(source_images == 0) | (target_images == 0)] = np.nan
    flagged = (ratio > threshold) & (target_images >= min_images)
    return Assumption(target_images.astype(np.int64), ratio, flagged)


def _offsets(
    embeddings: np.ndarray, members: scipy.sparse.csc_matrix, means: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields blocks of (labels, float64 [pairs, dimensions] offsets from the label's mean), a few megabytes each."""
    pairs = members.tocoo()
    for span in posteriors.spans(len(pairs.row), means.shape[1]):
        labels = pairs.row[span]
        yield labels, embeddings[pairs.col[span]].astype(np.float64) - means[labels]
