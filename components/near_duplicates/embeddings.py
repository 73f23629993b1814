"""Finds pairs of images with similar embeddings of the source classifier. Pure.

Matrix products of blocks compare all source images with all target images. That is exact, and bounds the memory.
"""

import numpy as np

from components.artifacts import exclusions
from components.near_duplicates.neighbours import Matches

_SOURCE_BLOCK, _TARGET_BLOCK = 1 << 10, 1 << 12


def normalise(embeddings: np.ndarray) -> np.ndarray:
    """Scales embeddings to length 1, float32 [images, dimensions]. Zeros stay 0 and match nothing."""
    values = embeddings.astype(np.float32)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)


def find_near(source: np.ndarray, target: np.ndarray, threshold: float) -> Matches:
    """Returns the pairs with a cosine of at least `threshold`, for each source image the nearest ones.

    Args:
      source, target: float32 [images, dimensions], from `normalise`.
      threshold: above 0, at most 1.

    Raises:
      ValueError: the threshold is out of range, or the numbers of dimensions differ.
    """
    check_threshold(threshold)
    if source.shape[1] != target.shape[1]:
        raise ValueError(
            f"target_predictions: embeddings have {target.shape[1]} dimensions, the source's have {source.shape[1]}; "
            "both must come from the same network"
        )
    reason = exclusions.REASONS.index("embedding")
    parts = []
    for start in range(0, len(source), _SOURCE_BLOCK):
        block = []
        for target_start in range(0, len(target), _TARGET_BLOCK):
            cosines = source[start : start + _SOURCE_BLOCK] @ target[target_start : target_start + _TARGET_BLOCK].T
            # Rounding can make the cosine of equal embeddings slightly smaller or greater than 1.
            rows, columns = np.nonzero(cosines >= threshold - 1e-6)
            distances = np.maximum(1 - cosines[rows, columns], 0)
            block.append(Matches.of(start + rows, target_start + columns, reason, distances).nearest())
        parts.append(Matches.concatenate(block).nearest())
    return Matches.concatenate(parts)


def check_threshold(threshold: float) -> None:
    """Raises a ValueError if `threshold` is out of range."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: {threshold}; a cosine must be above 0 and at most 1")
