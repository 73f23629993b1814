"""Distribution matchers: from the source's pairs to one integer an example. Pure.

Who is taken is decided by a hash of (seed, label, example id), so the sample is the same set whatever the order of the
rows, their sharding, or the runner. One to one in the id, the hash leaves no ties within a label.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from components.importance_resampler import emd, hashing, quotas
from components.importance_resampler.pairs import Pairs


@dataclasses.dataclass(frozen=True)
class Sample:
    """A resampling.

    Attributes:
      copies: int32 [examples], how often each is taken.
      quotas: int64 [labels], how many were drawn for each label. Strategies that take examples count each under its
        highest-ranked label.
      ranks: int32 [labels], 0 for the label that an example counts under first, K for labels that none counts under;
        None where examples count under each of their labels.
      weights: float32 [examples], factors of the loss; None: all are 1.
      capped: bool [labels], whose quota `max_repeats` holds down; None: none is.
      figures: what only this strategy has to report.
    """

    copies: np.ndarray
    quotas: np.ndarray
    ranks: np.ndarray | None = None
    weights: np.ndarray | None = None
    capped: np.ndarray | None = None
    figures: Mapping[str, float | int] = dataclasses.field(default_factory=dict)


def same_distribution(
    pairs: Pairs, target_prior: np.ndarray, *, n: int, seed: int, max_repeats: int | None = None
) -> Sample:
    """Draws n pairs whose labels follow P_t (Ngiam et al. 2018, section 3.1, "same distribution matcher").

    Within a label the copies of its examples differ by at most one; an example with several labels gets the sum, so
    `max_repeats` bounds what it gets through one label.

    Args:
      target_prior: float [labels], P_t.
      n, max_repeats: see `quotas.quotas`.
      seed: decides who gets the odd extra copy.

    Raises:
      ValueError: see `quotas.quotas`.
    """
    drawn, capped = quotas.quotas(target_prior, pairs.counts, n, max_repeats)
    base, extra = np.divmod(drawn, np.maximum(pairs.counts, 1))
    copies = base.astype(np.int32)[pairs.labels]
    copies += lowest(pairs, extra, seed)
    figures = {}
    if max_repeats is not None:
        reachable = np.where(pairs.counts > 0, target_prior, 0.0)
        over = reachable / reachable.sum() - drawn / n
        figures = {"capped_labels": int(capped.sum()), "capped_mass": float(np.maximum(over, 0)[capped].sum())}
    return Sample(copies=pairs.example_sums(copies), quotas=drawn, capped=capped, figures=figures)


def elastic_distribution(pairs: Pairs, weights: np.ndarray, *, n: int, seed: int) -> Sample:
    """Takes whole labels in descending w until there are n examples, none twice (Ngiam et al. 2018, section 3.1).

    Equal weights go by label index. The last label is taken in part, as the hash decides. Labels of weight 0 are never
    taken: the target has none of them. So fewer than n come out where the others have fewer.

    Args:
      weights: float [labels], w(y) = P_t(y) / P_s(y).
      n: how many examples, at least 1.
      seed: decides who is taken of the last label.

    Raises:
      ValueError: n < 1; a weight is negative or not finite; no label with examples has a positive one.
    """
    quotas.check_n(n)
    quotas.check_masses("weights", weights, pairs.num_labels)
    order = np.argsort(-weights, kind="stable")
    order = order[(weights[order] > 0) & (pairs.counts[order] > 0)]
    if not len(order):
        raise ValueError("weights: are 0 for every label that has examples")
    return _whole_labels(pairs, order, n, seed)


def uniform_subsample(pairs: Pairs, *, n: int, seed: int) -> Sample:
    """Takes n examples uniformly, none twice; all of them where there are fewer. Larger samples hold the smaller ones.

    Raises:
      ValueError: n < 1.
    """
    return label_subset(pairs, np.arange(pairs.num_labels), n=n, seed=seed)


def label_subset(pairs: Pairs, labels: np.ndarray, *, n: int, seed: int) -> Sample:
    """Takes n of the examples that carry one of `labels` uniformly, none twice; all of them where there are fewer.

    Args:
      labels: int [chosen], label indices without repetition.

    Raises:
      ValueError: n < 1; no example carries a chosen label.
    """
    quotas.check_n(n)
    ranks = _ranks(labels, pairs.num_labels)
    best = pairs.best_ranks(ranks)
    available = np.flatnonzero(best < pairs.num_labels)
    if not len(available):
        raise ValueError(f"labels: no example carries any of the {len(labels)} labels chosen")
    if n < len(available):
        hashes = hashing.hashes(pairs.keys[available], hashing.example_salt(seed))
        available = available[hashes <= np.partition(hashes, n - 1)[n - 1]]
    copies = np.zeros(len(pairs.keys), np.int32)
    copies[available] = 1
    return Sample(copies=copies, quotas=_per_label(best[available], labels, pairs.num_labels), ranks=ranks)


def emd_subset(pairs: Pairs, source: emd.ClassMeans, target: emd.ClassMeans, *, n: int, seed: int) -> Sample:
    """Takes whole labels nearest to the target's classes until there are n examples (Cui et al. 2018, section 4).

    The order of the labels is `emd.greedy_order`; the last one is taken in part, as the hash decides. Labels that have
    no mean embedding are never taken. The figures hold the earth mover's distance of the target to the sample and to
    the whole source (of those labels), and the domain similarities that follow from them.

    Args:
      source: mean embeddings of the source labels, in the order of the vocabulary.
      target: those of the target's classes, by the same network.
      n: how many examples, at least 1.
      seed: decides who is taken of the last label.

    Raises:
      ValueError: n < 1; the shapes do not fit; no label with examples has a mean embedding.
    """
    quotas.check_n(n)
    if len(source.counts) != pairs.num_labels:
        raise ValueError(
            f"source: mean embeddings of {len(source.counts)} labels, but the source has {pairs.num_labels}"
        )
    known = np.flatnonzero((source.counts > 0) & (pairs.counts > 0))
    if not len(known):
        raise ValueError("source: no label with examples in the train split has a mean embedding")
    distances = emd.distances(source, target)
    order = known[emd.greedy_order(distances[np.ix_(target.counts > 0, known)])]
    sample = _whole_labels(pairs, order, n, seed)
    figures = {"labels_without_embedding": int(np.count_nonzero((pairs.counts > 0) & (source.counts == 0)))}
    for name, masses in (("sample", sample.quotas), ("source", np.where(source.counts > 0, pairs.counts, 0))):
        figures[f"emd_{name}"] = emd.earth_movers_distance(target.counts, masses, distances)
        figures[f"similarity_{name}"] = emd.similarity(figures[f"emd_{name}"])
    return dataclasses.replace(sample, figures=figures)


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


def among(sample: Sample, kept: np.ndarray) -> Sample:
    """Returns a sample of the examples that were kept as one of all examples; the others are taken 0 times.

    Args:
      kept: bool [all examples]; the examples of `sample` are those where it is true, in this order.
    """

    def spread(values: np.ndarray) -> np.ndarray:
        spread = np.zeros(len(kept), values.dtype)
        spread[kept] = values
        return spread

    weights = None if sample.weights is None else spread(sample.weights)
    return dataclasses.replace(sample, copies=spread(sample.copies), weights=weights)


def lowest(pairs: Pairs, wanted: np.ndarray, seed: int) -> np.ndarray:
    """Returns bool [pairs]: of each label's pairs the wanted[label] ones that come first in the order of the hash.

    A radix selection: the pairs of a label are counted by the leading bits of their hashes, and only those whose bits
    are the threshold's are sorted. It takes 6 bytes a pair, where a sort of all takes 30.

    Args:
      wanted: int64 [labels], each from 0 to N_y.
    """
    # Some eight pairs a cell on average: the cells then take a byte a pair, and few pairs have to be sorted.
    bits = min(max((len(pairs) // pairs.num_labels).bit_length() - 3, 1), 15)
    salts = hashing.label_salts(seed, pairs.num_labels)
    leading = np.empty(len(pairs), np.uint16)
    cells = np.zeros(pairs.num_labels << bits, np.int64)
    for part in pairs.parts():
        leading[part] = _hashes(pairs, part, salts) >> np.uint64(64 - bits)
        cells += np.bincount((pairs.labels[part].astype(np.int64) << bits) + leading[part], minlength=len(cells))
    up_to = cells.reshape(pairs.num_labels, -1).cumsum(axis=1)
    threshold = (up_to <= wanted[:, np.newaxis]).sum(axis=1)
    whole = np.where(threshold > 0, up_to[np.arange(pairs.num_labels), threshold - 1], 0)
    threshold = threshold.astype(np.uint16)

    chosen = leading < threshold[pairs.labels]
    undecided = np.flatnonzero((leading == threshold[pairs.labels]) & (wanted > whole)[pairs.labels])
    undecided = undecided[np.lexsort((_hashes(pairs, undecided, salts), pairs.labels[undecided]))]
    labels = pairs.labels[undecided]
    position = np.arange(len(labels)) - np.searchsorted(labels, labels)
    chosen[undecided[position < (wanted - whole)[labels]]] = True
    return chosen


def _hashes(pairs: Pairs, which: slice | np.ndarray, salts: np.ndarray) -> np.ndarray:
    return hashing.hashes(pairs.keys[pairs.rows[which]], salts[pairs.labels[which]])


def _ranks(order: np.ndarray, num_labels: int) -> np.ndarray:
    ranks = np.full(num_labels, num_labels, np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return ranks


def _per_label(best: np.ndarray, order: np.ndarray, num_labels: int) -> np.ndarray:
    counts = np.zeros(num_labels, np.int64)
    counts[order] = np.bincount(best, minlength=num_labels)[: len(order)]
    return counts


def _whole_labels(pairs: Pairs, order: np.ndarray, n: int, seed: int) -> Sample:
    """Takes the labels in `order` until there are n examples, the last one in part."""
    ranks = _ranks(order, pairs.num_labels)
    best = pairs.best_ranks(ranks)
    available = np.bincount(best, minlength=pairs.num_labels)[: len(order)]
    up_to = np.cumsum(available)
    taken = np.clip(n - (up_to - available), 0, available)
    whole = int(np.count_nonzero(up_to <= n))
    copies = (best < whole).astype(np.int32)
    if whole < len(order) and taken[whole]:
        rows = np.flatnonzero(best == whole)
        hashes = hashing.hashes(pairs.keys[rows], hashing.label_salts(seed, pairs.num_labels)[order[whole]])
        copies[rows[np.argpartition(hashes, taken[whole] - 1)[: taken[whole]]]] = 1
    drawn = np.zeros(pairs.num_labels, np.int64)
    drawn[order] = taken
    return Sample(copies=copies, quotas=drawn, ranks=ranks)
