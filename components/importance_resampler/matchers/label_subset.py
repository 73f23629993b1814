"""The examples of labels that the user names ("bird", "vehicle"), a baseline of the paper. Pure."""

import numpy as np
import pydantic

from components import hashing
from components.artifacts import vocabulary as vocabularies
from components.importance_resampler import quotas
from components.importance_resampler.matchers.explanation import Draw, Drawn, rank_in
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Sample, require
from components.importance_resampler.matchers.whole_labels import ranks_of
from components.importance_resampler.pairs import Pairs


class LabelSubset(Matcher):
    """Draws n examples uniformly from those of the labels that you name.

    Attributes:
      label_subset: names of source labels, or of nodes of the hierarchy above them.
    """

    needs = ("vocabulary",)
    of_target = ("label_subset",)

    label_subset: list[str] = pydantic.Field(min_length=1)

    @pydantic.field_validator("label_subset")
    @classmethod
    def _sort_names(cls, names: list[str]) -> list[str]:
        return sorted(set(names))  # so that the same labels are the same sample

    def check_labels(self, vocabulary: vocabularies.Vocabulary) -> None:
        """See `Matcher.check_labels`."""
        vocabularies.descendants(vocabulary, self.label_subset)

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `label_subset`."""
        vocabulary = require(inputs.vocabulary, "vocabulary")
        chosen = np.array(vocabularies.descendants(vocabulary, self.label_subset))
        return label_subset(inputs.pairs, chosen, n=n, seed=seed)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`."""
        return explain_draw(drawn, row)


def label_subset(pairs: Pairs, labels: np.ndarray, *, n: int, seed: int) -> Sample:
    """Takes n of the examples that carry one of `labels` uniformly, none twice; all of them if there are fewer.

    Args:
      labels: int [chosen], label indices without repetition.

    Raises:
      ValueError: n < 1; no example carries a chosen label.
    """
    quotas.check_n(n)
    ranks = ranks_of(labels, pairs.num_labels)
    best = pairs.best_ranks(ranks)
    available = np.flatnonzero(best < pairs.num_labels)
    if not len(available):
        raise ValueError(f"labels: no example carries any of the {len(labels)} labels chosen")
    if n < len(available):
        hashes = hashing.hashes(pairs.keys[available], hashing.example_salt(seed))
        available = available[hashes <= np.partition(hashes, n - 1)[n - 1]]
    copies = np.zeros(len(pairs.keys), np.int32)
    copies[available] = 1
    return Sample(copies=copies, quotas=_count_per_label(best[available], labels, pairs.num_labels), ranks=ranks)


def explain_draw(drawn: Drawn, row: int) -> tuple[Draw, ...]:
    """Returns the one draw of an example from all that carry a chosen label; none if it carries none."""
    if drawn.best_ranks[row] == drawn.pairs.num_labels:
        return ()
    hashes = hashing.hashes(drawn.pairs.keys, hashing.example_salt(drawn.seed))
    pool = hashes[drawn.best_ranks < drawn.pairs.num_labels]
    return (Draw(None, len(pool), drawn.examples, rank_in(pool, hashes[row])),)


def _count_per_label(best: np.ndarray, order: np.ndarray, num_labels: int) -> np.ndarray:
    counts = np.zeros(num_labels, np.int64)
    counts[order] = np.bincount(best, minlength=num_labels)[: len(order)]
    return counts
