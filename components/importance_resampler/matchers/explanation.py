"""The parts of an explanation: why a plan takes an example as often as it does. Pure."""

import dataclasses
import functools

import numpy as np
import pyarrow as pa

from components import hashing
from components.importance_resampler.pairs import Pairs

_NOT_IN_CACHE_KEYS = "it explains what was drawn, and draws nothing"


@dataclasses.dataclass(frozen=True)
class Draw:
    """A draw that an example takes part in.

    Attributes:
      label: name of the label that it is drawn for; None: the draw ignores labels.
      pool: number of examples that take part; N_y with same_distribution.
      quota: number of copies that they share; n_y with same_distribution.
      rank: the example's place in the order of the hash, from 1.
    """

    label: str | None
    pool: int
    quota: int
    rank: int

    @property
    def base(self) -> int:
        """How many copies each example of the pool gets."""
        return self.quota // self.pool

    @property
    def odd(self) -> int:
        """How many examples of the pool, the first in the order of the hash, get one more copy."""
        return self.quota % self.pool

    @property
    def copies(self) -> int:
        """How many copies the example gets."""
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
      draws: the draws that it takes part in; its copies are their sum. None if none of its labels was chosen.
      weight: the factor of its loss.
      excluded: descriptions of the target images that it is excluded for; none if it may be taken.
    """

    labels: tuple[str, ...]
    draws: tuple[Draw, ...]
    weight: float = 1.0
    excluded: tuple[str, ...] = ()

    @property
    def copies(self) -> int:
        """How often the example is taken."""
        return sum(draw.copies for draw in self.draws)


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A sample, as its plan records it, and the pairs that it was drawn from.

    Attributes:
      labels: the plan's table of labels.
      pairs: the pairs of the index that the plan was made from.
      seed: of the draw.
      examples: the number of examples drawn.
    """

    labels: pa.Table
    pairs: Pairs
    seed: int
    examples: int

    @functools.cached_property
    def ranks(self) -> np.ndarray:
        """int32 [labels], 0 for the label that an example counts under first; K for labels that none counts under."""
        return self.labels["rank"].fill_null(self.pairs.num_labels).to_numpy()

    @functools.cached_property
    def best_ranks(self) -> np.ndarray:
        """int32 [examples], the rank of the label that each counts under; K if none of its labels was chosen."""
        return self.pairs.best_ranks(self.ranks)

    def own_labels(self, row: int) -> list[int]:
        """Returns the labels of an example."""
        return self.pairs.labels[self.pairs.rows == row].tolist()

    def draw_for_label(self, row: int, label: int, pool: np.ndarray) -> Draw:
        """Returns the draw of an example for one of its labels, from the rows `pool`."""
        salt = hashing.label_salts(self.seed, self.pairs.num_labels)[label]
        rank = rank_in(hashing.hashes(self.pairs.keys[pool], salt), hashing.hashes(self.pairs.keys[[row]], salt))
        return Draw(self.labels["name"][label].as_py(), len(pool), self.labels["quota"][label].as_py(), rank)


def rank_in(pool: np.ndarray, value: np.ndarray) -> int:
    """Returns the place of `value` among the values of `pool` by size, from 1."""
    return 1 + int(np.count_nonzero(pool < value))
