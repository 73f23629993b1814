"""Bootstrap intervals of P_t. Pure."""

from collections.abc import Callable

import numpy as np


def bootstrap(
    estimate: Callable[[np.ndarray], np.ndarray], num_images: int, *, replicates: int, level: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns percentile intervals of an estimator, over images drawn with replacement.

    See Efron and Tibshirani 1993, chapter 13. They cover the sampling error of the target's images. What the classifier
    gets wrong, and what the source's sample adds to that, is the same in every replicate and not in the interval.

    Args:
      estimate: gives float [replicates, labels] for the weights [replicates, images]: how often each image was drawn.
      num_images: how many target images there are.
      replicates: how often to draw, at least 1. The weights need 8 bytes for each image of each.
      level: the share of replicates that lies inside, between 0 and 1; the same share of the rest lies on either side.
      seed: of the draws.

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
