"""Samples of the labels with the most P_t, under other weights than P_t: controls of the same distribution. Pure."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pydantic

from components.importance_resampler import quotas
from components.importance_resampler.matchers.matcher import Sample
from components.importance_resampler.matchers.same_distribution import SameDistribution, same_distribution
from components.importance_resampler.pairs import Pairs

_MASS = 0.9  # of P_t, which the labels hold by default
_ROUNDING = 1e-12


class TopLabels(SameDistribution):
    """Draws n pairs of the labels with the most P_t.

    Attributes:
      top_labels: how many labels, those with the most P_t. null: as few as hold 90% of P_t.
    """

    top_labels: pydantic.PositiveInt | None = None


def draw_top_labels(
    pairs: Pairs,
    target_prior: np.ndarray,
    weigh: Callable[[np.ndarray], np.ndarray],
    *,
    n: int,
    seed: int,
    top_labels: int | None = None,
    max_repeats: int | None = None,
) -> Sample:
    """Draws n pairs of the labels with the most P_t, as `same_distribution` does, but with other weights of the labels.

    Args:
      target_prior: float [labels], P_t.
      weigh: the P_t of the chosen labels, float [k] in descending order → their weights, float [k].
      top_labels: see `select_labels`.
      n, seed, max_repeats: see `same_distribution`.

    Raises:
      ValueError: see `select_labels` and `same_distribution`.
    """
    order = select_labels(target_prior, pairs.counts, top_labels)
    weights = np.zeros(pairs.num_labels)
    weights[order] = weigh(target_prior[order])
    sample = same_distribution(pairs, weights, n=n, seed=seed, max_repeats=max_repeats)
    mass = target_prior[order].sum() / target_prior[pairs.counts > 0].sum()
    figures = {**sample.figures, "chosen_labels": len(order), "chosen_mass": float(mass)}
    return dataclasses.replace(sample, figures=figures)


def select_labels(target_prior: np.ndarray, counts: np.ndarray, top_labels: int | None) -> np.ndarray:
    """Returns the labels with the most P_t of those that have examples, in descending order: int [k].

    Labels of equal P_t are ordered by index. Labels whose P_t is 0 are never chosen, so that there may be fewer.

    Args:
      target_prior: float [labels], P_t.
      counts: int [labels], N_y.
      top_labels: k, at least 1; None: the smallest k whose labels hold 90% of P_t, over the labels with examples.

    Raises:
      ValueError: P_t has a wrong shape, a negative or a non-finite entry, or no mass on a label that has examples.
    """
    quotas.check_masses("target_prior", target_prior, len(counts))
    order = np.argsort(-target_prior, kind="stable")
    order = order[(target_prior[order] > 0) & (counts[order] > 0)]
    if not len(order):
        raise ValueError("target_prior: has no mass on any label that has examples")
    if top_labels is None:
        up_to = np.cumsum(target_prior[order])
        top_labels = 1 + int(np.searchsorted(up_to, (_MASS - _ROUNDING) * up_to[-1]))
    return order[:top_labels]
