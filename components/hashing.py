"""The 64-bit hashes of (seed, label, example) that decide every draw; they look random. Pure."""

import numpy as np

from components.splitmix import hash_seed, splitmix


def label_salts(seed: int, num_labels: int) -> np.ndarray:
    """Returns uint64 [labels]: the salts of `hashes` for a draw within each label."""
    return splitmix(hash_seed(seed) + np.arange(num_labels, dtype=np.uint64))


def example_salt(seed: int) -> np.ndarray:
    """Returns uint64 [1]: the salt of `hashes` for a draw that ignores labels."""
    return splitmix(hash_seed(seed) - np.uint64(1))


def hashes(keys: np.ndarray, salts: np.ndarray) -> np.ndarray:
    """Returns uint64 hashes of example keys. One to one in the key: under one salt no two examples tie."""
    return splitmix(keys ^ salts)
