"""The order of a training's draws: pseudo-random, and computed for any place alone. Pure.

A Feistel network with cycle walking, as are Grain's and TensorFlow's `index_shuffle`. Their four rounds are too few: of
ten million, neighbours come out at nearly equal distances, and ten have no more than 256 orders.
"""

import numpy as np

from components.splitmix import hash_seed, splitmix

_ROUNDS = 6
_LEAST_HALF = 4  # bits; with fewer, a round has too few different functions for the orders of a few draws


def permute(positions: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Returns which draw comes at each position of an endless sequence of passes over `size` draws.

    Pass p, the positions from p · size on, has each of 0 to size − 1 once. Its order depends on the seed and p alone.

    Args:
      positions: int64 [n], at least 0.
      size: at least 1.
      seed: of the order; 64 bits of it count.

    Returns:
      int64 [n], each from 0 to size − 1.

    Raises:
      ValueError: the size is below 1, or a position below 0.
    """
    if size < 1:
        raise ValueError(f"size: {size}; an order has at least 1 draw")
    if len(positions) and positions.min() < 0:
        raise ValueError(f"positions: {positions.min()}; they count from 0")
    passes, places = np.divmod(positions.astype(np.uint64), np.uint64(size))
    keys = splitmix(hash_seed(seed) + passes)
    half = np.uint64(max(((size - 1).bit_length() + 1) // 2, _LEAST_HALF))
    found = _encrypt(places, keys, half)
    # The network permutes a power of four that is larger. What falls outside goes round again until it falls inside.
    while len(outside := np.flatnonzero(found >= size)):
        found[outside] = _encrypt(found[outside], keys[outside], half)
    return found.astype(np.int64)


def _encrypt(values: np.ndarray, keys: np.ndarray, half: np.uint64) -> np.ndarray:
    """Permutes the numbers of 2 · half bits, uint64 [n], by a key for each."""
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for _ in range(_ROUNDS):
        keys = splitmix(keys)
        left, right = right, left ^ (splitmix(keys ^ right) & mask)
    return left << half | right
