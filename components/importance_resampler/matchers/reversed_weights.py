"""The labels with the most P_t, their weights in reverse order: the wrong distribution of the right labels. Pure."""

import numpy as np

from components.importance_resampler.matchers.matcher import Inputs, Sample, require
from components.importance_resampler.matchers.top_labels import TopLabels, draw_top_labels
from components.importance_resampler.pairs import Pairs


class ReversedWeights(TopLabels):
    """Draws n pairs of the labels with the most P_t, with their weights in reverse order."""

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `reversed_weights`; n counts (example, label) pairs."""
        prior = require(inputs.prior, "prior")
        return reversed_weights(inputs.pairs, prior.target_prior, n=n, seed=seed, **self.model_dump())


def reversed_weights(
    pairs: Pairs,
    target_prior: np.ndarray,
    *,
    n: int,
    seed: int,
    top_labels: int | None = None,
    max_repeats: int | None = None,
) -> Sample:
    """Draws n pairs of the k labels with the most P_t; the label with the i-th highest P_t gets the i-th lowest.

    A control of Ngiam et al. 2018 (Table 6), with the 4,000 labels of the most weight. The paper says that the weights
    of the highest and the lowest labels are swapped, and no more; this is our reading of it.

    Args:
      target_prior: float [labels], P_t.
      n, seed, top_labels, max_repeats: see `draw_top_labels`.

    Raises:
      ValueError: see `draw_top_labels`.
    """
    return draw_top_labels(pairs, target_prior, np.flip, n=n, seed=seed, top_labels=top_labels, max_repeats=max_repeats)
