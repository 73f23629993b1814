"""Bootstrap intervals of P_t. Pure."""

from collections.abc import Callable

import numpy as np


def bootstrap(
    estimate: Callable[[np.ndarray], np.ndarray], num_images: int, *, replicates: int, level: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns percentile intervals of an estimator, over images drawn with replacement.

    See Efron and Tibshirani 1993, chapter 13. The intervals cover the sampling error of the target's images. They do
    not cover the errors of the classifier or of the source's sample, which are the same in every replicate.

    Args:
      estimate: maps weights [replicates, images], how often each image was drawn, to float [replicates, labels].
      num_images: number of target images.
      replicates: number of replicates, at least 1. The weights take 8 bytes for each image and replicate.
      level: share of the replicates inside the interval, between 0 and 1; the rest is split equally between both sides.
      seed: seed of the draws.

    Returns:
      The lower and the upper ends, float64 [labels] each.

    Raises:
      ValueError: an argument is out of range.
    """
    if num_images < 1:
        raise ValueError(f"num_images: {num_images}; at least 1 is needed")
    if replicates < 1:
        raise ValueError(f"replicates: {replicates}; at least 1 is needed")
    if not 0 < level < 1:
        raise ValueError(f"level: {level}; it must lie between 0 and 1, for example 0.95")
    draws = np.random.default_rng(seed).multinomial(num_images, np.full(num_images, 1 / num_images), size=replicates)
    low, high = np.quantile(estimate(draws), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
