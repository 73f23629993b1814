"""Distribution matchers: from the source index and a target prior to one integer an example. Pure.

Who gets the odd extra copy is decided by a hash of (seed, label, example id), so the sample is the same set whatever
the order of the rows, their sharding, or the runner.
"""

import dataclasses

import numpy as np

# Constants of splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


@dataclasses.dataclass(frozen=True)
class Pairs:
    """The (example, label) pairs of the source's train split, the sampling unit of the same distribution matcher.

    Attributes:
      rows: int32 [pairs], the example's row in the index.
      labels: int32 [pairs].
      keys: uint64 [examples], `index.id_key` of each example's id.
      num_labels: size of the vocabulary.
    """

    rows: np.ndarray
    labels: np.ndarray
    keys: np.ndarray
    num_labels: int

    def __post_init__(self):
        if len(self.rows) != len(self.labels):
            raise ValueError(f"labels: {len(self.labels)} of them for {len(self.rows)} rows")
        if len(np.unique(self.keys)) != len(self.keys):
            raise ValueError("keys: two examples have the same; ids must be unique")

    @property
    def counts(self) -> np.ndarray:
        """N_y: int64 [num_labels]."""
        return np.bincount(self.labels, minlength=self.num_labels).astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A resampling.

    Attributes:
      copies: int32 [examples], how often each is taken.
      quotas: int64 [num_labels], how many pairs of each label were drawn.
    """

    copies: np.ndarray
    quotas: np.ndarray


def quotas(target_prior: np.ndarray, counts: np.ndarray, n: int) -> np.ndarray:
    """Returns n_y = n · P_t(y) in whole numbers by largest remainder; equal remainders go to the lower label.

    Labels without an example get none, and P_t is renormalised over the others.

    Args:
      target_prior: float [labels], P_t.
      counts: int [labels], N_y.
      n: how many pairs to draw, at least 1.

    Returns:
      int64 [labels], summing to n exactly.

    Raises:
      ValueError: n < 1, shapes differ, P_t has a negative or a non-finite entry, or no mass where there are examples.
    """
    if n < 1:
        raise ValueError(f"n: {n}; a sample needs at least 1 example")
    if target_prior.shape != counts.shape:
        raise ValueError(
            f"target_prior: {target_prior.shape} for counts of {counts.shape}; they must be of one vocabulary"
        )
    if not np.isfinite(target_prior).all() or (target_prior < 0).any():
        raise ValueError("target_prior: every entry must be finite and at least 0")
    reachable = np.where(counts > 0, target_prior, 0.0)
    if not reachable.sum() > 0:
        raise ValueError("target_prior: has no mass on any label that has examples")
    exact = n * (reachable / reachable.sum())
    whole = np.floor(exact).astype(np.int64)
    # Rounding can put the sum of the floors one above n only if an exact share is off by its last bit; never more.
    missing = int(n - whole.sum())
    order = np.argsort(-np.where(reachable > 0, exact - whole, -1.0), kind="stable")
    whole[order[:missing]] += 1
    return whole


def same_distribution(pairs: Pairs, target_prior: np.ndarray, *, n: int, seed: int) -> Sample:
    """Draws n pairs whose labels follow P_t (Ngiam et al. 2018, section 3.1, "same distribution matcher").

    Within a label the copies of its examples differ by at most one; an example with several labels gets the sum.
    """
    counts = pairs.counts
    drawn = quotas(target_prior, counts, n)
    base, extra = np.divmod(drawn, np.maximum(counts, 1))
    # Position of every pair within its label, in the order of the hash.
    order = np.lexsort((_hash(seed, pairs.labels, pairs.keys[pairs.rows]), pairs.labels))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    labels = pairs.labels[order]
    position = np.arange(len(order)) - first[labels]
    copies = np.zeros(len(pairs.keys), np.int32)
    np.add.at(copies, pairs.rows[order], (base[labels] + (position < extra[labels])).astype(np.int32))
    return Sample(copies=copies, quotas=drawn)


def spread(keys: np.ndarray, copies: np.ndarray, shards: int) -> np.ndarray:
    """Returns a uint64 key for each copy, row after row: modulo `shards` it is the copy's shard, its size the place.

    The copies of an example go to consecutive shards, and those that share a shard stand at unrelated places in it.
    """
    rows = np.repeat(np.arange(len(copies)), copies)
    ordinal = (np.arange(len(rows)) - np.repeat(np.cumsum(copies) - copies, copies)).astype(np.uint64)
    # Half the range, so that putting the shard into the last digit cannot overflow.
    place = _splitmix(keys[rows] ^ _splitmix(ordinal)) >> np.uint64(1)
    count = np.uint64(shards)
    return place - place % count + (keys[rows] % count + ordinal) % count


def _hash(seed: int, labels: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Returns uint64 hashes of (seed, label, key). One to one in the key, so that examples never tie within a label."""
    mixed = _splitmix(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    return _splitmix(keys ^ _splitmix(mixed + labels.astype(np.uint64)))


def _splitmix(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        values = values + _GOLDEN
        for shift, factor in _MIX:
            values = (values ^ (values >> np.uint64(shift))) * factor
        return values ^ (values >> np.uint64(31))
