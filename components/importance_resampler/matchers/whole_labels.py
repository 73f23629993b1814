"""Samples that take whole labels in an order, until there are n examples. Pure."""

import numpy as np

from components import hashing
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.matchers.matcher import Sample
from components.importance_resampler.pairs import Pairs


def ranks_of(order: np.ndarray, num_labels: int) -> np.ndarray:
    """Returns int32 [labels]: the place of each label in `order`, and num_labels for those that are not in it."""
    ranks = np.full(num_labels, num_labels, np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return ranks


def take_labels(pairs: Pairs, order: np.ndarray, n: int, seed: int) -> Sample:
    """Takes the labels in `order` until there are n examples, none twice; the last label may be used in part.

    Args:
      order: int [some labels], each with examples.
      seed: decides which examples of the last label are used.
    """
    ranks = ranks_of(order, pairs.num_labels)
    best = pairs.best_ranks(ranks)
    available = np.bincount(best, minlength=pairs.num_labels)[: len(order)]
    up_to = np.cumsum(available)
    used = np.clip(n - (up_to - available), 0, available)
    whole = int(np.count_nonzero(up_to <= n))
    copies = (best < whole).astype(np.int32)
    if whole < len(order) and used[whole]:
        rows = np.flatnonzero(best == whole)
        hashes = hashing.hashes(pairs.keys[rows], hashing.label_salts(seed, pairs.num_labels)[order[whole]])
        copies[rows[np.argpartition(hashes, used[whole] - 1)[: used[whole]]]] = 1
    drawn = np.zeros(pairs.num_labels, np.int64)
    drawn[order] = used
    return Sample(copies=copies, quotas=drawn, ranks=ranks)


def explain_draw(drawn: Drawn, row: int) -> tuple[Draw, ...]:
    """Returns the one draw of an example, for the label that it counts under; none if none of its labels was chosen."""
    best = drawn.best_ranks
    if best[row] == drawn.pairs.num_labels:
        return ()
    label, pool = int(np.argmax(drawn.ranks == best[row])), np.flatnonzero(best == best[row])
    return (drawn.draw_for_label(row, label, pool),)
