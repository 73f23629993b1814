"""A check of what all estimators of P_t assume: that an image of label y looks the same in the source and the target.

Pure.
"""

from collections.abc import Iterator

import numpy as np
import scipy.sparse

from components.artifacts.label_prior import Assumption
from components.prior_estimator import posteriors

# How much of a dimension's variance is replaced by the average: a unit that no source image excites then neither
# divides by zero nor decides alone.
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

    The ratio of y is the root mean square distance of these images from the mean of the source's images of y, over that
    of the source's images of y from the mean of the others (leave-one-out). A label with fewer than `min_images` source
    images takes the spread of all labels together instead, widened for the error of its own mean. Where the assumption
    holds the ratio is about 1, or a little less, because what is predicted as y resembles y; 2 says that the images lie
    as far from the label's mean as they would with four times its variance.

    Distances are taken after a division of every dimension by its standard deviation within the labels, and not by the
    full covariance: with some thousand dimensions, and hardly more images than labels, the small eigenvalues of that
    are fitted to the source's sample, and every image outside of the sample would seem far away.

    Args:
      source_embeddings: float [images, dimensions], of any float type; of images the classifier did not learn from.
      source_labels: int [pairs], the label of each (source image, label) pair.
      target_embeddings: float [images, dimensions].
      predicted: int [images], the label of the highest logit of each target image.
      num_labels: size of the vocabulary.
      source_rows: int [pairs], the source image of each pair; None: one label an image, in their order.
      threshold: the ratio above which a label is flagged.
      min_images: on fewer target images no label is flagged.

    Raises:
      ValueError: shapes do not fit, a number is not finite, a label is outside the vocabulary, the threshold is not
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

    freedom = np.maximum(source_images - 1, 0).sum()
    variance = np.zeros(means.shape[1])
    for _, offsets in _offsets(source_embeddings, source, means):
        variance += np.square(offsets).sum(axis=0)
    if not variance.any():  # no two images of a label differ: there is nothing to measure by
        return Assumption(target_images.astype(np.int64), np.full(num_labels, np.nan), np.zeros(num_labels, bool))
    variance = ((1 - _SHRINKAGE) * variance + _SHRINKAGE * variance.mean()) / freedom

    def distances(embeddings: np.ndarray, members: scipy.sparse.csc_matrix) -> np.ndarray:
        """Returns the sum of squared distances from the source's mean, float64 [labels]."""
        total = np.zeros(num_labels)
        for labels, offsets in _offsets(embeddings, members, means):
            total += np.bincount(labels, np.square(offsets) @ (1 / variance), minlength=num_labels)
        return total

    scatter = distances(source_embeddings, source)
    pooled = scatter.sum() / freedom
    with np.errstate(divide="ignore", invalid="ignore"):  # labels without images
        # The mean of the others is n / (n - 1) times as far from an image as the mean that it has a part in.
        own = source_images * scatter / (source_images - 1) ** 2
        enough = (source_images >= max(2, min_images)) & (scatter > 0)
        spread = np.where(enough, own, pooled * (1 + 1 / source_images))
        ratio = np.sqrt(distances(target_embeddings, target) / target_images / spread)
    ratio[(source_images == 0) | (target_images == 0)] = np.nan
    flagged = (ratio > threshold) & (target_images >= min_images)
    return Assumption(target_images.astype(np.int64), ratio, flagged)


def _offsets(
    embeddings: np.ndarray, members: scipy.sparse.csc_matrix, means: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (labels, float64 [pairs, dimensions] offsets from the label's mean), some megabytes of pairs each."""
    pairs = members.tocoo()
    for span in posteriors.spans(len(pairs.row), means.shape[1]):
        labels = pairs.row[span]
        yield labels, embeddings[pairs.col[span]].astype(np.float64) - means[labels]
