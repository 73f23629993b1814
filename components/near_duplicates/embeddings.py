"""Pairs of images whose embeddings by the source classifier point the same way. Pure.

All source images are compared with all target images, as matrix products of blocks: exact, and of bounded memory.
"""

import numpy as np

from components.artifacts import exclusions
from components.near_duplicates.neighbours import Matches

_SOURCE_BLOCK, _TARGET_BLOCK = 1 << 10, 1 << 12


def normalise(embeddings: np.ndarray) -> np.ndarray:
    """Returns float32 [images, dimensions] of length 1; an embedding of zeros stays so, and resembles nothing."""
    values = embeddings.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)


def find_near(source: np.ndarray, target: np.ndarray, threshold: float) -> Matches:
    """Returns the pairs with a cosine of at least `threshold`; of a source image's the nearest.

    Args:
      source, target: float32 [images, dimensions], from `normalise`.
      threshold: above 0, at most 1.

    Raises:
      ValueError: the threshold is out of range, or the embeddings have another number of dimensions.
    """
    check_threshold(threshold)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"target_predictions: embeddings of {target.shape[1]} dimensions, the source's have {source.shape[1]}; "
            "both must come from the same network"
        )
    reason = exclusions.REASONS.index("embedding")
    parts = []
    for start in range(0, len(source), _SOURCE_BLOCK):
        found = []
        for target_start in range(0, len(target), _TARGET_BLOCK):
            cosines = source[start : start + _SOURCE_BLOCK] @ target[target_start : target_start + _TARGET_BLOCK].T
            # Rounding may put the cosine of equal embeddings a little below or above 1.
            rows, columns = np.nonzero(cosines >= threshold - 1e-6)
            distances = np.maximum(1 - cosines[rows, columns], 0)
            found.append(Matches.of(start + rows, target_start + columns, reason, distances).nearest())
        parts.append(Matches.concatenate(found).nearest())
    return Matches.concatenate(parts)


def check_threshold(threshold: float) -> None:
    """Raises a ValueError if `threshold` is out of range."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: {threshold}; a cosine from which on images are alike is above 0 and at most 1")
