"""The same distribution matcher: n pairs whose labels follow P_t, the paper's choice. Pure."""

import numpy as np
import pydantic

from components import hashing
from components.importance_resampler import quotas
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.matchers.matcher import Inputs, Matcher, Sample, require
from components.importance_resampler.pairs import Pairs


class SameDistribution(Matcher):
    """Draws n pairs whose labels follow P_t.

    Attributes:
      max_repeats: the largest number of copies of a pair. null: no limit.
    """

    needs = ("label_prior",)

    max_repeats: pydantic.PositiveInt | None = None

    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """See `Matcher.draw` and `same_distribution`; n counts (example, label) pairs."""
        prior = require(inputs.prior, "prior")
        return same_distribution(inputs.pairs, prior.target_prior, n=n, seed=seed, max_repeats=self.max_repeats)

    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """See `Matcher.explain`: a draw for each label of the example."""
        pairs = drawn.pairs
        return tuple(
            drawn.draw_for_label(row, label, pairs.rows[pairs.labels == label]) for label in drawn.own_labels(row)
        )


def same_distribution(
    pairs: Pairs, target_prior: np.ndarray, *, n: int, seed: int, max_repeats: int | None = None
) -> Sample:
    """Draws n pairs whose labels follow P_t (Ngiam et al. 2018, section 3.1, "same distribution matcher").

    Within a label the copies of its examples differ by at most one; an example with several labels gets the sum, so
    `max_repeats` bounds what it gets through one label.

    Args:
      target_prior: float [labels], P_t.
      n, max_repeats: see `quotas.quotas`.
      seed: decides which examples get an extra copy.

    Raises:
      ValueError: see `quotas.quotas`.
    """
    drawn, capped = quotas.quotas(target_prior, pairs.counts, n, max_repeats)
    base, extra = np.divmod(drawn, np.maximum(pairs.counts, 1))
    copies = base.astype(np.int32)[pairs.labels]
    copies += select_lowest(pairs, extra, seed)
    figures = {}
    if max_repeats is not None:
        reachable = np.where(pairs.counts > 0, target_prior, 0.0)
        excess = reachable / reachable.sum() - drawn / n
        figures = {"capped_labels": int(capped.sum()), "capped_mass": float(np.maximum(excess, 0)[capped].sum())}
    return Sample(copies=pairs.example_sums(copies), quotas=drawn, capped=capped, figures=figures)


def select_lowest(pairs: Pairs, wanted: np.ndarray, seed: int) -> np.ndarray:
    """Returns bool [pairs]: true for the wanted[label] pairs of each label with the lowest hashes.

    A radix selection: it counts the pairs of a label by the leading bits of their hashes, and sorts only those whose
    leading bits are the threshold's. It takes 6 bytes per pair; a sort of all pairs takes 30.

    Args:
      wanted: int64 [labels], each from 0 to N_y.
    """
    # About eight pairs per cell: the cells then take one byte per pair, and few pairs have to be sorted.
    bits = min(max((len(pairs) // pairs.num_labels).bit_length() - 3, 1), 15)
    salts = hashing.label_salts(seed, pairs.num_labels)
    leading = np.empty(len(pairs), np.uint16)
    cells = np.zeros(pairs.num_labels << bits, np.int64)
    for part in pairs.parts():
        leading[part] = _hash_pairs(pairs, part, salts) >> np.uint64(64 - bits)
        cells += np.bincount((pairs.labels[part].astype(np.int64) << bits) + leading[part], minlength=len(cells))
    up_to = cells.reshape(pairs.num_labels, -1).cumsum(axis=1)
    threshold = (up_to <= wanted[:, np.newaxis]).sum(axis=1)
    whole = np.where(threshold > 0, up_to[np.arange(pairs.num_labels), threshold - 1], 0)
    threshold = threshold.astype(np.uint16)

    chosen = leading < threshold[pairs.labels]
    undecided = np.flatnonzero((leading == threshold[pairs.labels]) & (wanted > whole)[pairs.labels])
    undecided = undecided[np.lexsort((_hash_pairs(pairs, undecided, salts), pairs.labels[undecided]))]
    labels = pairs.labels[undecided]
    position = np.arange(len(labels)) - np.searchsorted(labels, labels)
    chosen[undecided[position < (wanted - whole)[labels]]] = True
    return chosen


def _hash_pairs(pairs: Pairs, which: slice | np.ndarray, salts: np.ndarray) -> np.ndarray:
    return hashing.hashes(pairs.keys[pairs.rows[which]], salts[pairs.labels[which]])
