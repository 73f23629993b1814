"""Estimators of the target's label prior P_t(y), in source labels. Pure.

Each accepts weights of the target's images, and several sets of weights at once, as a bootstrap needs.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import scipy.sparse

from components.prior_estimator import posteriors, simplex

# `em` keeps up to 256 MB of posteriors from step to step. Above that it computes them again in each step.
_CACHED_CELLS = 1 << 25


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The result of an estimator.

    Attributes:
      prior: P_t, float64 [labels], or [replicates, labels] for several sets of weights.
      iterations: number of steps; None if the estimator is not iterative.
      converged: whether the last step met the tolerance; None if the estimator is not iterative.
      regularisation: λ of `bbse`; None for the others.
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
    several labels, it is Σ_x sigmoid(logit_y(x) / T), divided by its sum over the labels: the expected share of y in
    all (image, label) pairs, which are the unit of P_s. A temperature above 1 moves every sigmoid towards ½, so that
    with thousands of labels T = 2 hides the few that an image has. Use 1, or the fitted temperature.

    Args:
      logits: [images, labels], of any float type; computed in float64.
      temperature: T; above 1 it flattens the predictions. The paper uses 2.0.
      activation: 'softmax' or 'sigmoid'.
      weights: float [images] or [replicates, images], the weight of each image; None: equal weights.

    Returns:
      float64 [labels] or [replicates, labels], summing to 1.

    Raises:
      ValueError: there is no image, a logit is not finite, the temperature is not positive, the activation is unknown,
        a weight is negative or not finite, or all weights are 0.
    """
    posteriors.check(logits, temperature)
    sums, _ = posteriors.weighted_sums(logits, temperature, _normalise_weights(weights, len(logits)), activation)
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

    A step is the mean over images of softmax(logits / T + log(P_t / P_s)), the posteriors if the P_t of the previous
    step were true. The first step is the mean prediction at the same temperature. The limit is the P_t that maximises
    the likelihood of the target's images. With more labels than images it is sparse: smooth it.

    The estimator assumes that an image has one label, that softmax(logits / T) are calibrated posteriors under P_s, and
    that P_s(x|y) = P_t(x|y). Use the fitted temperature: with the paper's 2.0, w ≠ 1 even without a shift.

    Args:
      logits: [images, labels], of any float type; computed in float64.
      source_prior: float [labels], P_s. A label with P_s = 0 gets P_t = 0.
      temperature: T.
      weights: float [images] or [replicates, images], the weight of each image; None: equal weights.
      start: float [labels], the initial P_t; labels that are 0 in it stay 0. None: P_s.
      tolerance: stops when the total variation distance ½ Σ |ΔP_t| of a step is at most this, in all replicates.
      max_iterations: largest number of steps.

    Raises:
      ValueError: as for `mean_prediction`; or `source_prior` or `start` is not a distribution over the same labels.
    """
    posteriors.check(logits, temperature)
    _check_prior("source_prior", source_prior, logits.shape[1])
    if start is not None:
        _check_prior("start", start, logits.shape[1])
    support = source_prior > 0
    shares = _normalise_weights(weights, len(logits))
    compute_chunks = functools.partial(posteriors.chunks, logits, temperature, support=support)
    cached = list(compute_chunks()) if logits.size <= _CACHED_CELLS else None
    prior = np.broadcast_to(source_prior if start is None else start, (*shares.shape[:-1], len(source_prior)))
    for iteration in range(1, max_iterations + 1):
        ratio = np.divide(prior, source_prior, out=np.zeros(prior.shape), where=support)
        sums = np.zeros(prior.shape)
        # With p = softmax(logits / T), softmax(logits / T + log ratio) is p · ratio / Σ p · ratio, so one set of
        # exponentials serves all replicates. Underflow is harmless: the largest entry of p is at least 1 / labels.
        for rows, chunk in cached or compute_chunks():
            share, evidence = shares[..., rows].T, chunk @ ratio.T
            # The evidence may be 0 for an image that the replicate does not contain.
            sums += np.divide(share, evidence, out=np.zeros(share.shape), where=share > 0).T @ chunk
        updated = ratio * sums
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
    j. Then q = M P_t in expectation. P_t is the p that minimises ‖Mp − q‖² + λ ‖p − P_s‖² over the probability simplex.
    q and M are means of posteriors instead of decisions (PACC of Bella et al. 2010), because these vary less between
    samples. The term with λ is needed because M is ill-conditioned if the classifier confuses labels.

    The estimator assumes that P_s(x|y) = P_t(x|y) and that an image has one label; of several, each counts. It corrects
    systematic errors of the posteriors on the source. The better they are calibrated, the less noise it amplifies.

    Args:
      target_logits, source_logits: [images, labels], of any float type; computed in float64. The classifier must not
        have been trained on these source images.
      source_labels: int [pairs], the label of each (source image, label) pair.
      source_prior: float [labels], P_s. A label with P_s = 0 gets P_t = 0.
      temperature: the logits are divided by it.
      source_rows: int [pairs], the source image of each pair. None: image i has label i of `source_labels`.
      weights: float [images] or [replicates, images], the weight of each target image; None: equal weights.
      regularisation: λ. 0 is plain constrained least squares. None chooses the largest λ whose residual is within the
        expected sampling noise of q and M, so that a shift below the noise is ignored. Under a strong shift, 0 is more
        accurate.
      names: label names, for messages.
      max_labels: largest number of labels with P_s > 0. M is dense, and needs images of each of them.
      tolerance, max_iterations: see `simplex.LeastSquares`.

    Raises:
      ValueError: as for `em`; a label is outside the vocabulary, there are more than `max_labels`, a label with P_s > 0
        has no source image, λ is negative, or λ is None although there are weights or only one target image.
    """
    posteriors.check(target_logits, temperature, "target_logits")
    posteriors.check(source_logits, temperature, "source_logits")
    num_labels = target_logits.shape[1]
    if source_logits.shape[1] != num_labels:
        raise ValueError(f"source_logits: {source_logits.shape[1]} logits an image, but target_logits: {num_labels}")
    _check_prior("source_prior", source_prior, num_labels)
    if regularisation is None and (weights is not None or len(target_logits) < 2):
        raise ValueError(
            "regularisation: None needs at least two target images, without weights, to estimate the sampling noise; "
            "give a number, for example 0"
        )
    if regularisation is not None and not (np.isfinite(regularisation) and regularisation >= 0):
        raise ValueError(f"regularisation: {regularisation}; it must be at least 0, or None")
    support = np.flatnonzero(source_prior > 0)
    if len(support) > max_labels:
        raise ValueError(
            f"source_prior: {len(support)} labels are more than max_labels = {max_labels}, and bbse is too "
            "ill-conditioned for that many; choose the estimator 'em' or 'mean_prediction'"
        )
    members = posteriors.incidence(source_labels, source_rows, len(source_logits), num_labels)[support]
    missing = support[np.diff(members.tocsr().indptr) == 0]
    if len(missing):
        shown = ", ".join(str(names[label]) if names else str(label) for label in missing[:5])
        raise ValueError(
            f"source_labels: {len(missing)} of {len(support)} labels with P_s > 0 have no source image, for example "
            f"{shown}; predict a larger sample of the source's eval split, or choose the estimator 'em'"
        )
    columns, columns_noise = posteriors.means(source_logits, temperature, members)
    values, _ = posteriors.weighted_sums(target_logits, temperature, _normalise_weights(weights, len(target_logits)))
    problem = simplex.LeastSquares(columns, values, source_prior[support], tolerance, max_iterations)
    if regularisation is None:
        _, values_noise = posteriors.means(
            target_logits, temperature, scipy.sparse.csc_matrix(np.ones((1, len(target_logits))))
        )
        regularisation = problem.largest_regularisation(lambda p: values_noise[0] + columns_noise @ p**2)
    point, iterations, converged = problem.solve(regularisation)
    prior = np.zeros((*point.shape[:-1], num_labels))
    prior[..., support] = point
    return Estimate(prior, iterations, converged, regularisation)


def adjust(
    target_prior: np.ndarray, source_prior: np.ndarray, *, smoothing: float = 0.0, floor: float = 0.0
) -> np.ndarray:
    """Smooths P_t towards P_s, and applies a floor, over the labels that the source has.

    With smoothing e, P_t becomes (1 − e) P_t + e P_s over the labels with P_s > 0, so that w becomes (1 − e) w + e.
    With a floor f, each of them is then raised to at least f, and they are renormalised. The mass of labels with
    P_s = 0 is not changed: it is lost in any case, and is reported as estimated.

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
    support = source_prior > 0
    if not 0 <= floor < 1 / support.sum():
        raise ValueError(
            f"floor: {floor}; it must be at least 0 and less than 1 / {support.sum()}, the share of a label"
        )
    reachable = target_prior[..., support]
    mass = reachable.sum(axis=-1, keepdims=True)
    adjusted = np.maximum((1 - smoothing) * reachable + smoothing * mass * source_prior[support], floor * mass)
    total = np.maximum(adjusted.sum(axis=-1, keepdims=True), np.finfo(float).tiny)  # 0 if no label has mass
    result = target_prior.copy()
    result[..., support] = adjusted * (mass / total)
    return result


def _normalise_weights(weights: np.ndarray | None, num_images: int) -> np.ndarray:
    """Returns weights that sum to 1, float64 [images] or [replicates, images]."""
    if weights is None:
        return np.full(num_images, 1 / num_images)
    if weights.ndim not in (1, 2) or weights.shape[-1] != num_images:
        raise ValueError(
            f"weights: shape {weights.shape} for {num_images} images; give [images] or [replicates, images]"
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights.sum(axis=-1) > 0).all()):
        raise ValueError("weights: must be finite, at least 0, and not all 0")
    return weights / weights.sum(axis=-1, keepdims=True)


def _check_prior(argument: str, prior: np.ndarray, num_labels: int) -> None:
    if prior.shape != (num_labels,):
        raise ValueError(f"{argument}: shape {prior.shape} for {num_labels} labels; it must have the same vocabulary")
    if not (np.isfinite(prior).all() and (prior >= 0).all() and abs(prior.sum() - 1) < 1e-6):
        raise ValueError(f"{argument}: must be at least 0 everywhere and sum to 1, not to {prior.sum()}")
