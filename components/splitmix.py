"""64-bit hashes of numbers, which look random. Pure."""

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


def hash_seed(seed: int) -> np.ndarray:
    """Returns uint64 [1]: the hash of a seed, of which 64 bits count."""
    return splitmix(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
