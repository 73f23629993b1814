"""Fits the temperature that calibrates a classifier. Pure."""

import numpy as np
import scipy.optimize
import scipy.special

from components.prior_estimator import posteriors

_LOWEST, _HIGHEST = 0.01, 100.0
_MIN_GAIN = 1e-9  # nats an image; a smaller difference is rounding


class NoTemperatureError(ValueError):
    """No temperature calibrates the classifier."""


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, *, rows: np.ndarray | None = None, activation: str = "softmax"
) -> float:
    """Returns the T that maximises the likelihood of the labels given logits / T (Guo et al. 2017, section 4.2).

    With 'softmax' T minimises the sum of the cross entropies of all (image, label) pairs; with 'sigmoid' the sum of the
    binary cross entropies of all labels and images. Both are convex in 1 / T, so the minimum is unique.

    Args:
      logits: [images, labels], of any float type; of images not used to train the classifier.
      labels: int [pairs], the label of each (image, label) pair.
      rows: int [pairs], the image of each pair. None: image i has label i of `labels`.
      activation: 'softmax' or 'sigmoid'.

    Raises:
      ValueError: there is no image or no pair, a logit is not finite, a label is outside the vocabulary, or the
        activation is unknown.
      NoTemperatureError: no T between 0.01 and 100 is better than both ends of that range.
    """
    posteriors.check(logits, 1.0)
    if activation not in posteriors.ACTIVATIONS:
        raise ValueError(f"activation: {activation!r}; choose one of {', '.join(posteriors.ACTIVATIONS)}")
    members = posteriors.incidence(labels, rows, *logits.shape)

    def loss(log_temperature: float) -> float:
        """Returns the loss in nats an image."""
        total = 0.0
        for span in posteriors.spans(*logits.shape):
            scaled = logits[span].astype(np.float64) / np.exp(log_temperature)
            pairs = members[:, span].tocoo()
            if activation == "softmax":
                total += (scipy.special.logsumexp(scaled, axis=1)[pairs.col] - scaled[pairs.col, pairs.row]).sum()
            else:
                total += np.logaddexp(0, scaled).sum() - scaled[pairs.col, pairs.row].sum()
        return total / len(logits)

    bounds = (np.log(_LOWEST), np.log(_HIGHEST))
    best = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    if not best.fun < min(loss(bound) for bound in bounds) - _MIN_GAIN:
        raise NoTemperatureError(
            f"logits: no temperature between {_LOWEST} and {_HIGHEST} fits {len(logits)} images better than both ends "
            "of that range: the classifier is always right, or no better than chance; give a larger sample, or a number"
        )
    return float(np.exp(best.x))
