"""Why a plan takes an example as often as it does. Pure."""

import dataclasses

import numpy as np
import pyarrow as pa

from components.artifacts import index, plan
from components.importance_resampler import hashing
from components.importance_resampler.pairs import Pairs


@dataclasses.dataclass(frozen=True)
class Draw:
    """A draw that an example takes part in.

    Attributes:
      label: name of the label that it is drawn for; None: the draw knows no labels.
      pool: how many examples take part; of same_distribution this is N_y.
      quota: how many copies they share; of same_distribution this is n_y.
      rank: the example's place in the order of the hash, from 1.
    """

    label: str | None
    pool: int
    quota: int
    rank: int

    @property
    def base(self) -> int:
        """How many copies each of the pool gets."""
        return self.quota // self.pool

    @property
    def odd(self) -> int:
        """How many of the pool, the first in the order of the hash, get one more."""
        return self.quota % self.pool

    @property
    def copies(self) -> int:
        """How many the example gets."""
        return self.base + (self.rank <= self.odd)

    def __str__(self) -> str:
        label = f"label {self.label!r}: " if self.label is not None else ""
        text = f"{label}{self.quota:,} copies for {self.pool:,} examples"
        if self.base or not self.quota:
            text += f", {self.base:,} each"
        if self.odd:
            text += f", {'one more' if self.base else 'one'} for the first {self.odd:,}; this is number {self.rank:,}"
        return f"{text}: {self.copies:,}"


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How often an example is taken, and why.

    Attributes:
      labels: names of its labels.
      draws: those that it takes part in; none where no label of it was chosen. Its copies are their sum.
      weight: the factor of its loss.
      excluded: the target images that it resembles, in words, for which it is never taken; none if it may be.
    """

    labels: tuple[str, ...]
    draws: tuple[Draw, ...]
    weight: float = 1.0
    excluded: tuple[str, ...] = ()

    @property
    def copies(self) -> int:
        """How often the example is taken."""
        return sum(draw.copies for draw in self.draws)


def explain(labels: pa.Table, pairs: Pairs, source_id: str) -> Explanation:
    """Returns why a plan takes the example of an id as often as it does.

    same_distribution draws for each label of the example. The matchers that take whole labels draw once, for the label
    that it counts under; those that take examples draw once from all that may be taken. weighted_loss takes all.

    Args:
      labels: the plan's table of labels.
      pairs: those of the index that the plan was made from.

    Raises:
      ValueError: the index has no example of this id, or other counts than the plan.
    """
    found = np.flatnonzero(pairs.keys == np.uint64(index.id_key(source_id)))
    if not len(found):
        raise ValueError(f"source_id: {source_id!r} is none of the {len(pairs.keys)} examples of the index")
    row = int(found[0])
    if not np.array_equal(pairs.counts, labels["count"].to_numpy()):
        raise ValueError("labels: the counts of this plan are not those of the index; it was made from another one")
    header = plan.header_of(labels)
    own = pairs.labels[pairs.rows == row]
    names = tuple(labels["name"][int(label)].as_py() for label in own)
    draws, weight = (), 1.0
    if header["strategy"] == "same_distribution":
        draws = tuple(
            _within_label(labels, pairs, row, label, pairs.rows[pairs.labels == label], header["seed"]) for label in own
        )
    elif header["strategy"] == "weighted_loss":
        draws = (Draw(None, len(pairs.keys), len(pairs.keys), _place(pairs.keys, pairs.keys[row])),)
        weight = _weight(labels, pairs, row)
    else:
        ranks = labels["rank"].fill_null(pairs.num_labels).to_numpy()
        best = pairs.best_ranks(ranks)
        if best[row] < pairs.num_labels and header["strategy"] in ("elastic_distribution", "emd_subset"):
            label, pool = int(np.argmax(ranks == best[row])), np.flatnonzero(best == best[row])
            draws = (_within_label(labels, pairs, row, label, pool, header["seed"]),)
        elif best[row] < pairs.num_labels:
            hashes = hashing.hashes(pairs.keys, hashing.example_salt(header["seed"]))
            pool = hashes[best < pairs.num_labels]
            draws = (Draw(None, len(pool), header["examples"], _place(pool, hashes[row])),)
    return Explanation(labels=names, draws=draws, weight=weight)


def _within_label(labels: pa.Table, pairs: Pairs, row: int, label: int, pool: np.ndarray, seed: int) -> Draw:
    salt = hashing.label_salts(seed, pairs.num_labels)[label]
    rank = _place(hashing.hashes(pairs.keys[pool], salt), hashing.hashes(pairs.keys[[row]], salt))
    return Draw(labels["name"][int(label)].as_py(), len(pool), labels["quota"][int(label)].as_py(), rank)


def _place(pool: np.ndarray, value: np.ndarray) -> int:
    return 1 + int(np.count_nonzero(pool < value))


def _weight(labels: pa.Table, pairs: Pairs, row: int) -> float:
    # w is proportional to P_t / N_y, and its scale drops out.
    counts = labels["count"].to_numpy()
    weights = np.divide(labels["asked"].to_numpy(), counts, out=np.zeros(len(counts)), where=counts > 0)
    sums = pairs.example_sums(weights[pairs.labels])
    return float(sums[row] / sums.mean())
