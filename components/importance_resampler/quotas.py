"""How many pairs of each label a sample holds. Pure."""

import numpy as np

# A plan keeps an example's copies as int32.
MAX_N = np.iinfo(np.int32).max


def check_n(n: int) -> None:
    """Raises ValueError if a sample cannot have `n` examples."""
    if not 1 <= n <= MAX_N:
        raise ValueError(f"n: {n}; a sample has at least 1 example and at most {MAX_N:,}")


def check_masses(name: str, masses: np.ndarray, num_labels: int) -> None:
    """Raises ValueError if `masses` is not float [labels] with finite entries of at least 0 and a positive sum."""
    if masses.shape != (num_labels,):
        raise ValueError(
            f"{name}: shape {masses.shape} for {num_labels} labels; it needs one value per label of the vocabulary"
        )
    wrong = ~(np.isfinite(masses) & (masses >= 0))
    if wrong.any():
        raise ValueError(
            f"{name}: {masses[wrong][0]} for label {wrong.argmax()}; entries must be finite and at least 0"
        )
    if not masses.sum() > 0:
        raise ValueError(f"{name}: is 0 for every label; nothing can be drawn")


def quotas(
    target_prior: np.ndarray, counts: np.ndarray, n: int, max_repeats: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns n_y = n · P_t(y) in whole numbers by largest remainder; equal remainders go to the lower label.

    Labels without an example get none, and P_t is renormalised over the others. With `max_repeats` no label gets more
    than max_repeats · N_y: the excess goes to the other labels in proportion to P_t, until no label exceeds its limit.

    Args:
      target_prior: float [labels], P_t.
      counts: int64 [labels], N_y.
      n: how many pairs to draw, at least 1.
      max_repeats: how often a pair may be drawn, at least 1; None: no limit.

    Returns:
      n_y, int64 [labels], summing to n exactly; and bool [labels], which of them the limit reduces.

    Raises:
      ValueError: n or max_repeats < 1; shapes differ; P_t has a negative or a non-finite entry, or no mass where there
        are examples; the limit leaves fewer than n pairs.
    """
    check_n(n)
    check_masses("target_prior", target_prior, len(counts))
    reachable = np.where(counts > 0, target_prior, 0.0)
    if not reachable.sum() > 0:
        raise ValueError("target_prior: has no mass on any label that has examples")
    limits = _compute_limits(counts, reachable, n, max_repeats)
    capped = np.zeros(len(counts), bool)
    while True:
        free = np.where(capped, 0.0, reachable)
        total = free.sum()
        shares = (n - limits[capped].sum()) * (free / total) if total > 0 else free
        exceeds = shares > limits
        if not exceeds.any():
            break
        capped |= exceeds
    whole = np.floor(shares).astype(np.int64)
    remainders = np.where(free > 0, shares - whole, -1.0)
    whole[capped] = limits[capped]
    missing = n - whole.sum()
    whole[np.argsort(-remainders, kind="stable")[:missing]] += 1
    return whole, capped


def _compute_limits(counts: np.ndarray, reachable: np.ndarray, n: int, max_repeats: int | None) -> np.ndarray:
    if max_repeats is None:
        return np.full(len(counts), n)
    if max_repeats < 1:
        raise ValueError(f"max_repeats: {max_repeats}; it must be at least 1, or None for no limit")
    limits = np.minimum(counts, MAX_N) * min(max_repeats, MAX_N)
    largest = int(limits[reachable > 0].sum())
    if n > largest:
        raise ValueError(
            f"n: {n} pairs with max_repeats {max_repeats}, but the labels with P_t > 0 have "
            f"{counts[reachable > 0].sum()} pairs, so {largest} is the largest n; lower n or raise max_repeats"
        )
    return limits
