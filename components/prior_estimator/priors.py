"""Estimators of the target's label prior P_t(y), in source labels. Pure."""

import numpy as np
import scipy.special

_CHUNK_CELLS = 1 << 22


def mean_prediction(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns P_t: the mean over target images of softmax(logits / temperature) (Ngiam et al. 2018, section 3.1).

    Args:
      logits: [images, labels], of any float type; computed in float64.
      temperature: softens the predictions when above 1; the paper uses 2.0.

    Returns:
      float64 [labels], summing to 1.

    Raises:
      ValueError: there is no image, a logit is not finite, or the temperature is not positive.
    """
    if logits.ndim != 2 or not logits.size:
        raise ValueError(f"logits: shape {logits.shape}; expected [images, labels] with at least one of each")
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: {temperature}; it must be a positive number")
    total = np.zeros(logits.shape[1])
    rows = max(1, _CHUNK_CELLS // logits.shape[1])
    for start in range(0, len(logits), rows):
        chunk = logits[start : start + rows].astype(np.float64)
        if not np.isfinite(chunk).all():
            raise ValueError(f"logits: row {start + int(np.argmin(np.isfinite(chunk).all(axis=1)))} is not finite")
        total += scipy.special.softmax(chunk / temperature, axis=1).sum(axis=0)
    return total / total.sum()
