"""The labels with the most P_t, all alike: does it matter how much there is of each label, or only which? Pure."""

import numpy as np

from components.importance_resampler.matchers.matcher import Inputs, Sample, require
from components.importance_resampler.matchers.top_labels import TopLabels, draw_top_labels
from components.importance_resampler.pairs import Pairs


class UniformLabels(TopLabels):
    """Draws n pairs of the labels with the most P_t, equally many of each label."""

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `uniform_labels`; n counts (example, label) pairs."""
        prior = require(inputs.prior, "prior")
        return uniform_labels(inputs.pairs, prior.target_prior, n=n, seed=seed, **self.model_dump())


def uniform_labels(
    pairs: Pairs,
    target_prior: np.ndarray,
    *,
    n: int,
    seed: int,
    top_labels: int | None = None,
    max_repeats: int | None = None,
) -> Sample:
    """Draws n pairs of the k labels with the most P_t, n/k of each by largest remainder.

    A control of Ngiam et al. 2018 (Table 6), with the 4,000 labels of the most weight.

    Args:
      target_prior: float [labels], P_t.
      n, seed, top_labels, max_repeats: see `draw_top_labels`.

    Raises:
      ValueError: see `draw_top_labels`.
    """
    return draw_top_labels(
        pairs, target_prior, np.ones_like, n=n, seed=seed, top_labels=top_labels, max_repeats=max_repeats
    )
