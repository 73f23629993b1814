"""Multinomial logistic regression with an L2 penalty, by L-BFGS. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.optimize
import scipy.special

# Those that Kornblith et al. 2019 (arXiv 1805.08974) and Chen et al. 2020 (arXiv 2002.05709, appendix B.8) choose from.
PENALTIES = tuple(float(penalty) for penalty in np.logspace(5, -6, 45))
_MOST_ITERATIONS = 300  # of each penalty; it goes on from the solution of the one before
_ABSENT = 30.0  # by how much the logit of a label without examples is below the mean of the others


def fit_penalties(
    features: np.ndarray, labels: np.ndarray, classes: int, penalties: Sequence[float] = PENALTIES
) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yields each penalty λ with the kernel, float32 [width, classes], and the bias, float32 [classes], that it gives.

    They minimise the mean cross entropy + λ/2 ‖kernel‖², where the kernel is that of the standardised features: of mean
    0 and variance 1. What is returned is for the features as they are. The bias has no penalty. A label that occurs
    nowhere has a logit of 30 below the mean of the others', so a probability below 1e-13.

    Args:
      features: float32 [examples, width]. They are copied once, and of no more than float32.
      labels: int [examples].
      classes: the number of labels.
      penalties: descending, so that each solution is near the one before.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    deviation[deviation == 0] = 1  # the same in all examples, so of no use
    standardised = (features - mean.astype(np.float32)) / deviation.astype(np.float32)
    present, targets = np.unique(labels, return_inverse=True)
    shares = np.bincount(targets) / len(targets)
    start = np.concatenate([np.zeros(features.shape[1] * len(present)), np.log(shares)])
    for penalty in penalties:
        found = scipy.optimize.minimize(
            _objective,
            start,
            args=(standardised, targets, penalty),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS},
        )
        start = found.x
        kernel = start[: -len(present)].reshape(features.shape[1], len(present)) / deviation[:, None]
        bias = start[-len(present) :] - mean @ kernel
        yield penalty, *_for_all(kernel, bias, present, classes)


def _objective(
    parameters: np.ndarray, features: np.ndarray, targets: np.ndarray, penalty: float
) -> tuple[float, np.ndarray]:
    """Returns what is minimised, and its gradient by the parameters: the kernel, row by row, and the bias."""
    width, examples = features.shape[1], np.arange(len(targets))
    kernel, bias = np.split(parameters, [width * (len(parameters) // (width + 1))])
    kernel = kernel.reshape(width, len(bias))
    logits = features @ kernel.astype(np.float32) + bias
    log_p = logits - scipy.special.logsumexp(logits, axis=1, keepdims=True)
    residual = np.exp(log_p)
    residual[examples, targets] -= 1
    residual /= len(targets)
    gradient = features.T @ residual.astype(np.float32) + penalty * kernel
    value = -log_p[examples, targets].mean() + penalty / 2 * (kernel**2).sum()
    return float(value), np.concatenate([gradient.ravel(), residual.sum(axis=0)])


def _for_all(kernel: np.ndarray, bias: np.ndarray, present: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel and bias with columns for the labels that occur nowhere."""
    full_kernel = np.repeat(kernel.mean(axis=1, keepdims=True), classes, axis=1)
    full_bias = np.full(classes, bias.mean() - _ABSENT)
    full_kernel[:, present], full_bias[present] = kernel, bias
    return full_kernel.astype(np.float32), full_bias.astype(np.float32)
