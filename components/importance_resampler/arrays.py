"""The matchers on numpy arrays: labels in, copies out. Pure.

With the same labels, ids, prior and seed they draw the same sample as the ImportanceResampler. Common arguments:

  labels: the label of each example, int [examples]; or a list of lists, if examples have several. Labels count from 0.
  n: how many to draw, at least 1: (example, label) pairs with `same_distribution`, `uniform_labels` and
    `reversed_weights`, examples with the others.
  seed: another seed gives another sample with the same quotas.
  ids: [examples], unique strings or integers; they make the draw independent of the order of the examples. None: the
    row numbers.

They return int32 [examples]: how often to take each example. `np.repeat(rows, copies)` is the sample. `weighted_loss`
takes no n, and returns weights instead.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.artifacts import index, label_prior
from components.importance_resampler import quotas
from components.importance_resampler.matchers import elastic_distribution as elastic
from components.importance_resampler.matchers import emd_subset as emd
from components.importance_resampler.matchers import label_subset as subset
from components.importance_resampler.matchers import reversed_weights as reversed_order
from components.importance_resampler.matchers import same_distribution as same
from components.importance_resampler.matchers import uniform_labels as alike
from components.importance_resampler.matchers import uniform_subsample as uniform
from components.importance_resampler.matchers import weighted_loss as weighted
from components.importance_resampler.pairs import Pairs

Labels = np.ndarray | Sequence[int] | Sequence[Sequence[int]]
Ids = np.ndarray | Sequence[str] | Sequence[int]


def same_distribution(
    labels: Labels,
    target_prior: np.ndarray,
    *,
    n: int,
    seed: int = 0,
    ids: Ids | None = None,
    max_repeats: int | None = None,
) -> np.ndarray:
    """Draws n (example, label) pairs whose labels follow P_t: the paper's choice.

    Args:
      labels, n, seed, ids: see the top of the module.
      target_prior: float [labels], P_t.
      max_repeats: how often a pair may be drawn; None: no limit.

    Returns:
      int32 [examples], the copies; they sum to n.

    Raises:
      ValueError: an argument is out of range, P_t has no mass on a label that has examples, or `max_repeats` leaves
        fewer than n pairs.
    """
    pairs, target_prior = _make_pairs_with_prior(labels, ids, target_prior)
    return same.same_distribution(pairs, target_prior, n=n, seed=seed, max_repeats=max_repeats).copies


def elastic_distribution(
    labels: Labels, target_prior: np.ndarray, *, n: int, seed: int = 0, ids: Ids | None = None
) -> np.ndarray:
    """Takes the n examples whose labels have the highest weights w = P_t / P_s, none twice.

    Args:
      labels, n, seed, ids: see the top of the module.
      target_prior: float [labels], P_t. Labels where it is 0 are never taken.

    Returns:
      int32 [examples], 0 or 1.

    Raises:
      ValueError: an argument is out of range, or P_t has no mass on a label that has examples.
    """
    pairs, target_prior = _make_pairs_with_prior(labels, ids, target_prior)
    weights = label_prior.importance_weights(target_prior, pairs.counts)
    return elastic.elastic_distribution(pairs, weights, n=n, seed=seed).copies


def uniform_subsample(labels: Labels, *, n: int, seed: int = 0, ids: Ids | None = None) -> np.ndarray:
    """Takes n examples uniformly, none twice.

    Args:
      labels, n, seed, ids: see the top of the module.

    Returns:
      int32 [examples], 0 or 1.

    Raises:
      ValueError: an argument is out of range, or there are no more than n examples.
    """
    return uniform.uniform_subsample(_make_pairs(labels, ids), n=n, seed=seed).copies


def label_subset(
    labels: Labels, chosen: Sequence[int] | np.ndarray, *, n: int, seed: int = 0, ids: Ids | None = None
) -> np.ndarray:
    """Takes n of the examples that carry a chosen label uniformly, none twice; all of them if there are fewer.

    Args:
      labels, n, seed, ids: see the top of the module.
      chosen: int [chosen], labels, each once.

    Returns:
      int32 [examples], 0 or 1.

    Raises:
      ValueError: an argument is out of range, or no example carries a chosen label.
    """
    chosen = _to_integers("chosen", chosen)
    if len(np.unique(chosen)) != len(chosen) or (chosen < 0).any():
        raise ValueError(f"chosen: {chosen.tolist()}; give labels, which count from 0, each once")
    pairs = _make_pairs(labels, ids, 1 + chosen.max(initial=-1))
    return subset.label_subset(pairs, chosen, n=n, seed=seed).copies


def emd_subset(
    labels: Labels,
    source_embeddings: np.ndarray,
    source_labels: Labels,
    target_embeddings: np.ndarray,
    target_labels: Labels,
    *,
    n: int,
    seed: int = 0,
    ids: Ids | None = None,
) -> np.ndarray:
    """Takes the n examples of the labels whose mean embeddings are nearest to those of the target's classes.

    Args:
      labels, n, seed, ids: see the top of the module.
      source_embeddings: float [source images, dimensions], of images of the source; they need not be the examples.
      source_labels: their labels, in the same form as `labels`.
      target_embeddings: float [target images, dimensions], from the same network.
      target_labels: their labels, from the target's own label space.

    Returns:
      int32 [examples], 0 or 1.

    Raises:
      ValueError: an argument is out of range, the shapes do not fit, or no label with examples has an embedding.
    """
    pairs = _make_pairs(labels, ids, 1 + _flatten_labels("source_labels", source_labels)[1].max(initial=-1))
    source = _make_means("source", source_embeddings, source_labels, pairs.num_labels)
    target = _make_means("target", target_embeddings, target_labels, 1)
    return emd.emd_subset(pairs, source, target, n=n, seed=seed).copies


def uniform_labels(
    labels: Labels,
    target_prior: np.ndarray,
    *,
    n: int,
    seed: int = 0,
    ids: Ids | None = None,
    top_labels: int | None = None,
    max_repeats: int | None = None,
) -> np.ndarray:
    """Draws n pairs of the labels with the most P_t, equally many of each.

    Args:
      labels, n, seed, ids: see the top of the module.
      target_prior: float [labels], P_t.
      top_labels: how many labels, at least 1; None: as few as hold 90% of P_t.
      max_repeats: how often a pair may be drawn; None: no limit.

    Returns:
      int32 [examples], the copies; they sum to n.

    Raises:
      ValueError: as `same_distribution`.
    """
    pairs, target_prior = _make_pairs_with_prior(labels, ids, target_prior)
    return alike.uniform_labels(
        pairs, target_prior, n=n, seed=seed, top_labels=top_labels, max_repeats=max_repeats
    ).copies


def reversed_weights(
    labels: Labels,
    target_prior: np.ndarray,
    *,
    n: int,
    seed: int = 0,
    ids: Ids | None = None,
    top_labels: int | None = None,
    max_repeats: int | None = None,
) -> np.ndarray:
    """Draws n pairs of the labels with the most P_t, with their weights in reverse order.

    Args:
      labels, n, seed, ids: see the top of the module.
      target_prior: float [labels], P_t.
      top_labels: how many labels, at least 1; None: as few as hold 90% of P_t.
      max_repeats: how often a pair may be drawn; None: no limit.

    Returns:
      int32 [examples], the copies; they sum to n.

    Raises:
      ValueError: as `same_distribution`.
    """
    pairs, target_prior = _make_pairs_with_prior(labels, ids, target_prior)
    return reversed_order.reversed_weights(
        pairs, target_prior, n=n, seed=seed, top_labels=top_labels, max_repeats=max_repeats
    ).copies


def weighted_loss(labels: Labels, target_prior: np.ndarray) -> np.ndarray:
    """Weights the loss of each example by the sum of w = P_t / P_s over its labels, scaled to a mean of 1.

    Args:
      labels: see the top of the module.
      target_prior: float [labels], P_t.

    Returns:
      float32 [examples], the weights.

    Raises:
      ValueError: an argument is out of range, or P_t has no mass on a label that has examples.
    """
    pairs, target_prior = _make_pairs_with_prior(labels, None, target_prior)
    sample = weighted.weighted_loss(pairs, label_prior.importance_weights(target_prior, pairs.counts))
    assert sample.weights is not None
    return sample.weights


def _make_pairs_with_prior(labels: Labels, ids: Ids | None, target_prior: np.ndarray) -> tuple[Pairs, np.ndarray]:
    target_prior = np.asarray(target_prior, np.float64)
    pairs = _make_pairs(labels, ids, target_prior.size)
    quotas.check_masses("target_prior", target_prior, pairs.num_labels)
    return pairs, target_prior


def _make_pairs(labels: Labels, ids: Ids | None, num_labels: int = 1) -> Pairs:
    """Returns the pairs of `labels`, over a vocabulary of at least `num_labels`."""
    rows, flat = _flatten_labels("labels", labels)
    ids = range(len(labels)) if ids is None else ids
    if len(ids) != len(labels):
        raise ValueError(f"ids: {len(ids)} of them for {len(labels)} examples; give one for each, or None")
    keys = np.fromiter((index.id_key(str(source_id)) for source_id in ids), np.uint64, len(labels))
    return Pairs(rows=rows, labels=flat, keys=keys, num_labels=max(num_labels, 1 + flat.max(initial=-1)))


def _flatten_labels(argument: str, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (example, label) pairs as two int32 arrays, rows and labels."""
    if any(np.ndim(of_example) for of_example in itertools.islice(labels, 1)):
        counts = [len(of_example) for of_example in labels]
        rows = np.repeat(np.arange(len(labels), dtype=np.int32), counts)
        return rows, _to_integers(argument, list(itertools.chain.from_iterable(labels)))
    return np.arange(len(labels), dtype=np.int32), _to_integers(argument, labels)


def _to_integers(argument: str, values: Sequence[int] | np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise ValueError(
            f"{argument}: {array.dtype} such as {array.flat[0].item()!r}; give integers, for example from "
            "np.unique(names, return_inverse=True)"
        )
    return array.astype(np.int32)


def _make_means(prefix: str, embeddings: np.ndarray, labels: Labels, num_labels: int) -> emd.ClassMeans:
    if len(labels) != len(embeddings):
        raise ValueError(f"{prefix}_labels: {len(labels)} of them for {len(embeddings)} embeddings; give one for each")
    rows, flat = _flatten_labels(f"{prefix}_labels", labels)
    return emd.ClassMeans.of_pairs(np.asarray(embeddings), rows, flat, max(num_labels, 1 + flat.max(initial=-1)))
