"""The elastic distribution matcher: whole labels in descending w, without replacement. Pure."""

import numpy as np

from components.importance_resampler import quotas
from components.importance_resampler.matchers import whole_labels
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Sample, require
from components.importance_resampler.pairs import Pairs


class ElasticDistribution(Matcher):
    """Takes the n examples whose labels have the highest importance weights, each once."""

    needs = ("label_prior",)

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `elastic_distribution`."""
        return elastic_distribution(inputs.pairs, require(inputs.prior, "prior").weights, n=n, seed=seed)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`."""
        return whole_labels.explain_draw(drawn, row)


def elastic_distribution(pairs: Pairs, weights: np.ndarray, *, n: int, seed: int) -> Sample:
    """Takes whole labels in descending w until there are n examples, none twice (Ngiam et al. 2018, section 3.1).

    Labels of equal weight are ordered by index. The last label is taken in part; a hash decides which examples. Labels
    of weight 0 are never taken, because the target has none of them; if the others have fewer than n examples, the
    sample is smaller.

    Args:
      weights: float [labels], w(y) = P_t(y) / P_s(y).
      n: how many examples, at least 1.
      seed: decides which examples of the last label are taken.

    Raises:
      ValueError: n < 1; a weight is negative or not finite; no label with examples has a positive one.
    """
    quotas.check_n(n)
    quotas.check_masses("weights", weights, pairs.num_labels)
    order = np.argsort(-weights, kind="stable")
    order = order[(weights[order] > 0) & (pairs.counts[order] > 0)]
    if not len(order):
        raise ValueError("weights: are 0 for every label that has examples")
    return whole_labels.take_labels(pairs, order, n, seed)
