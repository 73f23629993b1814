"""Which matcher a configuration asks for, and what it needs. Pure."""

import dataclasses

import numpy as np

from components.artifacts import vocabulary as vocabularies
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler import emd, matchers, quotas
from components.importance_resampler.pairs import Pairs

# Strategy → the inputs that it needs besides examples, index and label prior.
INPUTS = {
    "same_distribution": (),
    "elastic_distribution": (),
    "uniform_subsample": (),
    "label_subset": ("vocabulary",),
    "emd_subset": ("source_predictions", "target_predictions", "target_index"),
    "weighted_loss": (),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to draw.

    Attributes:
      strategy: one of INPUTS.
      n: (example, label) pairs of same_distribution, examples of the others; 0 for weighted_loss, which draws nothing.
      seed: another one gives another sample with the same quotas.
      max_repeats: how often same_distribution may draw a pair; 0: no limit.
      label_subset: names of labels or of nodes above them, for label_subset.

    Raises:
      ValueError: the strategy is unknown, or a setting does not go with it.
    """

    strategy: str
    n: int = 0
    seed: int = 0
    max_repeats: int = 0
    label_subset: tuple[str, ...] = ()

    def __post_init__(self):
        if self.strategy not in INPUTS:
            raise ValueError(f"strategy: {self.strategy!r} is unknown; there are {', '.join(INPUTS)}")
        if self.strategy != "weighted_loss":
            quotas.check_n(self.n)
        elif self.n:
            raise ValueError(f"n: {self.n} with weighted_loss, which takes every example once; leave n out")
        if self.max_repeats < 0:
            raise ValueError(f"max_repeats: {self.max_repeats}; it must be at least 1, or 0 for no limit")
        if self.max_repeats and self.strategy != "same_distribution":
            raise ValueError(
                f"max_repeats: {self.max_repeats} with {self.strategy}, which repeats nothing; leave it out"
            )
        if self.strategy == "label_subset" and not self.label_subset:
            raise ValueError("label_subset: is empty; name labels of the source, or nodes above them")
        if self.label_subset and self.strategy != "label_subset":
            raise ValueError(f"label_subset: {list(self.label_subset)} with {self.strategy}; leave it out")


def draw(
    settings: Settings,
    pairs: Pairs,
    prior: LabelPrior,
    *,
    vocabulary: vocabularies.Vocabulary | None = None,
    source_means: emd.ClassMeans | None = None,
    target_means: emd.ClassMeans | None = None,
) -> matchers.Sample:
    """Returns the sample that `settings` ask for.

    Args:
      prior: estimated for the source of `pairs`.
      vocabulary: the source's, for label_subset.
      source_means, target_means: embeddings of source labels and target classes, for emd_subset.

    Raises:
      ValueError: the prior was estimated for another source; or see the matchers.
    """
    if len(prior.names) != pairs.num_labels or not np.array_equal(pairs.counts, prior.counts):
        raise ValueError(
            "label_prior: its counts are not those of this index; it was estimated for another source, "
            "or with other exclusions"
        )
    if vocabulary is not None and vocabulary.names != prior.names:  # equal counts alone do not make it the same one
        raise ValueError("label_prior: its labels are not in the order of the vocabulary; see label_prior.ordered")
    drawing = {"n": settings.n, "seed": settings.seed}
    match settings.strategy:
        case "same_distribution":
            limit = settings.max_repeats or None
            return matchers.same_distribution(pairs, prior.target_prior, **drawing, max_repeats=limit)
        case "elastic_distribution":
            return matchers.elastic_distribution(pairs, prior.weights, **drawing)
        case "uniform_subsample":
            return matchers.uniform_subsample(pairs, **drawing)
        case "label_subset":
            chosen = np.array(vocabularies.descendants(vocabulary, settings.label_subset))
            return matchers.label_subset(pairs, chosen, **drawing)
        case "emd_subset":
            return matchers.emd_subset(pairs, source_means, target_means, **drawing)
        case "weighted_loss":
            return matchers.weighted_loss(pairs, prior.weights)
