"""The 64-bit hashes of (seed, label, example) that decide every draw; they look random. Pure."""

import numpy as np

# Constants of splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


def splitmix(values: np.ndarray) -> np.ndarray:
    """Maps uint64 values one to one to values that look random."""
    values = values + _GOLDEN
    for shift, factor in _MIX:
        values ^= values >> np.uint64(shift)
        values *= factor
    values ^= values >> np.uint64(31)
    return values


def label_salts(seed: int, num_labels: int) -> np.ndarray:
    """Returns uint64 [labels]: the salts of `hashes` for a draw within each label."""
    return splitmix(_hash_seed(seed) + np.arange(num_labels, dtype=np.uint64))


def example_salt(seed: int) -> np.ndarray:
    """Returns uint64 [1]: the salt of `hashes` for a draw that ignores labels."""
    return splitmix(_hash_seed(seed) - np.uint64(1))


def hashes(keys: np.ndarray, salts: np.ndarray) -> np.ndarray:
    """Returns uint64 hashes of example keys. One to one in the key: under one salt no two examples tie."""
    return splitmix(keys ^ salts)


def _hash_seed(seed: int) -> np.ndarray:
    return splitmix(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
