"""Importance weighting without sampling, which the paper discusses and rejects; for comparison. Pure."""

import numpy as np

from components.importance_resampler import quotas
from components.importance_resampler.matchers.explanation import Draw, Drawn, rank_in
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Sample, require
from components.importance_resampler.pairs import Pairs


class WeightedLoss(Matcher):
    """Takes every example once, and multiplies its loss by w."""

    needs = ("label_prior",)
    takes_all = True

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `weighted_loss`; neither n nor seed is used."""
        del n, seed
        return weighted_loss(inputs.pairs, require(inputs.prior, "prior").weights)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`."""
        keys = drawn.pairs.keys
        return (Draw(None, len(keys), len(keys), rank_in(keys, keys[row])),)

    def weight(self, drawn: Drawn, row: int) -> float:
        """See `Matcher.weight`."""
        # w is proportional to P_t / N_y, and its scale drops out.
        counts = drawn.labels["count"].to_numpy()
        weights = np.divide(drawn.labels["asked"].to_numpy(), counts, out=np.zeros(len(counts)), where=counts > 0)
        sums = drawn.pairs.example_sums(weights[drawn.pairs.labels])
        return float(sums[row] / sums.mean())


def weighted_loss(pairs: Pairs, weights: np.ndarray) -> Sample:
    """Takes every example once, and weights its loss by the sum of w over its labels, scaled to a mean of 1.

    Importance weighting without sampling, which Ngiam et al. 2018 (section 3.1) discuss and reject.

    Args:
      weights: float [labels], w(y) = P_t(y) / P_s(y).

    Raises:
      ValueError: a weight is negative or not finite; no label with examples has a positive one.
    """
    quotas.check_masses("weights", weights, pairs.num_labels)
    factors = pairs.example_sums(weights.astype(np.float64)[pairs.labels])
    mean = factors.mean()
    if not mean > 0:
        raise ValueError("weights: are 0 for every label that has examples")
    factors /= mean
    return Sample(
        copies=np.ones(len(pairs.keys), np.int32), quotas=pairs.counts.copy(), weights=factors.astype(np.float32)
    )
