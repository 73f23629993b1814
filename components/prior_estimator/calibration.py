"""The temperature that calibrates a classifier. Pure."""

import numpy as np
import scipy.optimize
import scipy.special

from components.prior_estimator import posteriors

_LOWEST, _HIGHEST = 0.01, 100.0
_FLAT = 1e-9  # nats an image


def fit_temperature(
    logits: np.ndarray, labels: np.ndarray, *, rows: np.ndarray | None = None, activation: str = "softmax"
) -> float:
    """Returns the T under which the labels are likeliest, given logits / T (Guo et al. 2017, section 4.2).

    With 'softmax' it minimises the cross entropy of each (image, label) pair; with 'sigmoid' the binary cross entropy
    of every label of every image. Both are convex in 1 / T, so that a minimum is the only one.

    Args:
      logits: [images, labels], of any float type; of images the classifier did not learn from.
      labels: int [pairs], the label of each (image, label) pair.
      rows: int [pairs], the image of each pair; None: one label an image, in their order.
      activation: 'softmax' or 'sigmoid'.

    Raises:
      ValueError: there is no image or no pair, a logit is not finite, a label is outside the vocabulary, the activation
        is unknown, or no T from 0.01 to 100 is better than the ends of that range.
    """
    posteriors.check(logits, 1.0)
    if activation not in posteriors.ACTIVATIONS:
        raise ValueError(f"activation: {activation!r}; choose one of {', '.join(posteriors.ACTIVATIONS)}")
    members = posteriors.incidence(labels, rows, *logits.shape)

    def loss(log_temperature: float) -> float:
        """Nats an image."""
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
    if not best.fun < min(loss(bound) for bound in bounds) - _FLAT:
        raise ValueError(
            f"logits: no temperature from {_LOWEST} to {_HIGHEST} makes {len(logits)} images likelier than the ends of "
            "that range: the classifier makes no mistake on them, or knows nothing; give a larger sample, or a number"
        )
    return float(np.exp(best.x))
