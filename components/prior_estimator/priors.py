"""Estimators of the target's label prior P_t(y), in source labels. Pure.

Each takes weights of the target's images, and many sets of weights at once: that is what a bootstrap needs.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import scipy.sparse

from components.prior_estimator import posteriors, simplex

# Up to a quarter of a gigabyte of posteriors is kept from one step of `em` to the next; more is computed again.
_KEPT_CELLS = 1 << 25


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What an estimator came to.

    Attributes:
      prior: float64 [labels], P_t; [replicates, labels] if there were as many sets of weights.
      iterations: how many steps were taken; None if there is nothing to iterate.
      converged: whether the last step met the tolerance.
      regularisation: λ of `bbse`.
    """

    prior: np.ndarray
    iterations: int | None = None
    converged: bool | None = None
    regularisation: float | None = None


def mean_prediction(
    logits: np.ndarray, temperature: float, *, activation: str = "softmax", weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns P_t as the mean of the classifier's predictions (Ngiam et al. 2018, section 3.1).

    With 'softmax' it is the mean over images of softmax(logits / T). With 'sigmoid', for a source whose images have
    several labels, it is Σ_x sigmoid(logit_y(x) / T), divided by its sum over the labels: the expected share of y among
    all (image, label) pairs, which is the unit that P_s counts. Mind that a temperature above 1 moves every sigmoid
    towards ½: over thousands of labels T = 2 drowns the few that an image has. Use 1, or the fitted temperature.

    Args:
      logits: [images, labels], of any float type; computed in float64.
      temperature: T, softens the predictions when above 1; the paper uses 2.0.
      activation: 'softmax' or 'sigmoid'.
      weights: float [images] or [replicates, images], how much each image counts; None: all the same.

    Returns:
      float64 [labels] or [replicates, labels], summing to 1.

    Raises:
      ValueError: there is no image, a logit is not finite, the temperature is not positive, the activation is unknown,
        a weight is negative or not finite, or all are 0.
    """
    posteriors.check(logits, temperature)
    sums, _ = posteriors.weighted_sums(logits, temperature, _shares(weights, len(logits)), activation)
    totals = sums.sum(axis=-1, keepdims=True)
    if not (totals > 0).all():
        raise ValueError("logits: every sigmoid of them is 0; check that they are the logits of the source classifier")
    return sums / totals


def em(
    logits: np.ndarray,
    source_prior: np.ndarray,
    temperature: float,
    *,
    weights: np.ndarray | None = None,
    start: np.ndarray | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
) -> Estimate:
    """Estimates P_t by expectation maximisation (Saerens, Latinne and Decaestecker 2002, equation 2.9).

    A step is the mean over images of softmax(logits / T + log(P_t / P_s)): the posteriors as they would be if the P_t
    of the step before were true. The first step is mean prediction at the same temperature; the limit is the P_t under
    which the target's images are likeliest. With more labels than images that is a sparse one: smooth it.

    It assumes that an image has one label, that softmax(logits / T) are calibrated posteriors under P_s, and that
    P_s(x|y) = P_t(x|y). So T should be the fitted temperature: with the paper's 2.0 even no shift gives w ≠ 1.

    Args:
      logits: [images, labels], of any float type; computed in float64.
      source_prior: float [labels], P_s. A label with P_s = 0 gets P_t = 0.
      temperature: T.
      weights: float [images] or [replicates, images], how much each image counts; None: all the same.
      start: float [labels], the P_t to begin with; what is 0 there stays 0. None: P_s.
      tolerance: it ends when no step's total variation distance ½ Σ |ΔP_t| is above this.
      max_iterations: or after as many steps.

    Raises:
      ValueError: as for `mean_prediction`; or `source_prior` or `start` is no distribution over the same labels.
    """
    posteriors.check(logits, temperature)
    _check_prior("source_prior", source_prior, logits.shape[1])
    if start is not None:
        _check_prior("start", start, logits.shape[1])
    among = source_prior > 0
    shares = _shares(weights, len(logits))
    passes = functools.partial(posteriors.chunks, logits, temperature, among=among)
    kept = list(passes()) if logits.size <= _KEPT_CELLS else None
    prior = np.broadcast_to(source_prior if start is None else start, (*shares.shape[:-1], len(source_prior)))
    for iteration in range(1, max_iterations + 1):
        ratio = np.divide(prior, source_prior, out=np.zeros(prior.shape), where=among)
        attributed = np.zeros(prior.shape)
        # With p = softmax(logits / T), softmax(logits / T + log ratio) is p · ratio / Σ p · ratio, so that one set of
        # exponentials serves all replicates. The largest entry of p is at least 1 / labels: what underflows is nothing
        # beside it.
        for rows, chunk in kept or passes():
            share, evidence = shares[..., rows].T, chunk @ ratio.T
            # An image that a replicate leaves out may have no evidence in it at all.
            attributed += np.divide(share, evidence, out=np.zeros(share.shape), where=share > 0).T @ chunk
        updated = ratio * attributed
        updated /= updated.sum(axis=-1, keepdims=True)  # 1 up to rounding
        change = 0.5 * np.abs(updated - prior).sum(axis=-1).max()
        prior = updated
        if change <= tolerance:
            return Estimate(prior, iteration, True)
    return Estimate(prior, max_iterations, False)


def bbse(
    target_logits: np.ndarray,
    source_logits: np.ndarray,
    source_labels: np.ndarray,
    source_prior: np.ndarray,
    temperature: float,
    *,
    source_rows: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    regularisation: float | None = None,
    names: Sequence[str] | None = None,
    max_labels: int = 2048,
    tolerance: float = 1e-12,
    max_iterations: int = 10_000,
) -> Estimate:
    """Estimates P_t by black box shift estimation (Lipton, Wang and Smola 2018, section 4), from posteriors.

    Let q be the mean posterior over the target, and column j of M the mean posterior over the source's images of label
    j: then q = M P_t in expectation. P_t is the p that minimises ‖Mp − q‖² + λ ‖p − P_s‖² over the probability simplex.
    Means of posteriors, not of decisions, stand in q and M (PACC of Bella et al. 2010): they vary less from sample to
    sample. M is ill-conditioned where labels are hard to tell apart, hence λ.

    It assumes that an image has one label (of an image with several, each counts), and P_s(x|y) = P_t(x|y). It corrects
    whatever the posteriors get wrong on the source, but the more calibrated they are, the less it has to amplify.

    Args:
      target_logits, source_logits: [images, labels], of any float type; computed in float64. The source's images must
        not be those the classifier learned from.
      source_labels: int [pairs], the label of each (source image, label) pair.
      source_prior: float [labels], P_s. A label with P_s = 0 gets P_t = 0.
      temperature: what the logits are divided by.
      source_rows: int [pairs], the source image of each pair; None: one label an image, in their order.
      weights: float [images] or [replicates, images], how much each target image counts; None: all the same.
      regularisation: λ. 0 is plain constrained least squares. None takes the largest λ whose residual stays within the
        sampling noise that is expected of q and M: a shift that is not seen in the noise is not believed. Under a
        strong shift 0 comes nearer to the truth.
      names: label names, for messages.
      max_labels: how many labels with P_s > 0 are allowed. M is dense, and needs images of each of them.
      tolerance, max_iterations: of `simplex.LeastSquares`.

    Raises:
      ValueError: as for `em`; a label is outside the vocabulary, there are more than `max_labels`, a label with P_s > 0
        has no source image, λ is negative, or it is None where there are weights or only one target image.
    """
    posteriors.check(target_logits, temperature, "target_logits")
    posteriors.check(source_logits, temperature, "source_logits")
    num_labels = target_logits.shape[1]
    if source_logits.shape[1] != num_labels:
        raise ValueError(f"source_logits: {source_logits.shape[1]} logits an image, but target_logits: {num_labels}")
    _check_prior("source_prior", source_prior, num_labels)
    if regularisation is None and (weights is not None or len(target_logits) < 2):
        raise ValueError(
            "regularisation: None needs two target images or more, without weights, to know the sampling noise; "
            "give a number, for example 0"
        )
    if regularisation is not None and not (np.isfinite(regularisation) and regularisation >= 0):
        raise ValueError(f"regularisation: {regularisation}; it must be at least 0, or None")
    among = np.flatnonzero(source_prior > 0)
    if len(among) > max_labels:
        raise ValueError(
            f"source_prior: {len(among)} labels are more than max_labels = {max_labels}, beyond which bbse is too "
            "ill-conditioned to be of use; choose the estimator 'em' or 'mean_prediction'"
        )
    members = posteriors.incidence(source_labels, source_rows, len(source_logits), num_labels)[among]
    lacking = among[np.diff(members.tocsr().indptr) == 0]
    if len(lacking):
        shown = ", ".join(str(names[label]) if names else str(label) for label in lacking[:5])
        raise ValueError(
            f"source_labels: {len(lacking)} of {len(among)} labels with P_s > 0 have no source image, among them "
            f"{shown}; predict a larger sample of the source's eval split, or choose the estimator 'em'"
        )
    columns, columns_noise = posteriors.means(source_logits, temperature, members)
    values, _ = posteriors.weighted_sums(target_logits, temperature, _shares(weights, len(target_logits)))
    problem = simplex.LeastSquares(columns, values, source_prior[among], tolerance, max_iterations)
    if regularisation is None:
        _, values_noise = posteriors.means(
            target_logits, temperature, scipy.sparse.csc_matrix(np.ones((1, len(target_logits))))
        )
        regularisation = problem.largest_regularisation(lambda p: values_noise[0] + columns_noise @ p**2)
    point, iterations, converged = problem.solve(regularisation)
    prior = np.zeros((*point.shape[:-1], num_labels))
    prior[..., among] = point
    return Estimate(prior, iterations, converged, regularisation)


def adjust(
    target_prior: np.ndarray, source_prior: np.ndarray, *, smoothing: float = 0.0, floor: float = 0.0
) -> np.ndarray:
    """Returns P_t smoothed towards P_s, and with a floor under it; over the labels that the source can give.

    With smoothing e, P_t becomes (1 − e) P_t + e P_s over the labels with P_s > 0, so that w becomes (1 − e) w + e.
    With a floor f, each of them then gets at least f, before they are renormalised. The mass of labels with P_s = 0 is
    left as it is, for it is lost anyway and should be reported as what it was.

    Args:
      target_prior: float [..., labels], P_t.
      source_prior: float [labels], P_s.
      smoothing: e, from 0 to 1.
      floor: f, at least 0, and less than 1 / (number of labels with P_s > 0).

    Raises:
      ValueError: e or f is out of range.
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing: {smoothing}; it must be from 0 to 1")
    among = source_prior > 0
    if not 0 <= floor < 1 / among.sum():
        raise ValueError(f"floor: {floor}; it must be at least 0 and less than 1 / {among.sum()}, the share of a label")
    reachable = target_prior[..., among]
    mass = reachable.sum(axis=-1, keepdims=True)
    inside = np.maximum((1 - smoothing) * reachable + smoothing * mass * source_prior[among], floor * mass)
    total = np.maximum(inside.sum(axis=-1, keepdims=True), np.finfo(float).tiny)  # 0 where there is no mass to move
    result = target_prior.copy()
    result[..., among] = inside * (mass / total)
    return result


def _shares(weights: np.ndarray | None, num_images: int) -> np.ndarray:
    """Returns weights that sum to 1, float64 [images] or [replicates, images]."""
    if weights is None:
        return np.full(num_images, 1 / num_images)
    if weights.ndim not in (1, 2) or weights.shape[-1] != num_images:
        raise ValueError(f"weights: shape {weights.shape} for {num_images} images; one for each, in one row or many")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights.sum(axis=-1) > 0).all()):
        raise ValueError("weights: must be finite and at least 0, and not all be 0")
    return weights / weights.sum(axis=-1, keepdims=True)


def _check_prior(argument: str, prior: np.ndarray, num_labels: int) -> None:
    if prior.shape != (num_labels,):
        raise ValueError(f"{argument}: shape {prior.shape} for {num_labels} labels; it must be of the same vocabulary")
    if not (np.isfinite(prior).all() and (prior >= 0).all() and abs(prior.sum() - 1) < 1e-6):
        raise ValueError(f"{argument}: must be at least 0 everywhere and sum to 1, not to {prior.sum()}")
