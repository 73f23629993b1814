"""The interface of a matcher: its settings, the inputs it needs, a draw, and the explanation of a draw. Pure."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa

from components.artifacts.label_prior import LabelPrior
from components.artifacts.vocabulary import Vocabulary
from components.importance_resampler import quotas
from components.importance_resampler.matchers.explanation import Draw, Drawn
from components.importance_resampler.pairs import Pairs
from components.settings import StrictModel

_Input = TypeVar("_Input")


@dataclasses.dataclass(frozen=True)
class Sample:
    """The sample that a matcher draws.

    Attributes:
      copies: int32 [examples], how often each is taken.
      quotas: int64 [labels], the number drawn for each label. Matchers that take examples count each under its
        highest-ranked label.
      ranks: int32 [labels], 0 for the label that an example counts under first, K for labels that none counts under;
        None if examples count under each of their labels.
      weights: float32 [examples], factors of the loss; None: all are 1.
      capped: bool [labels], whether a limit reduces the quota; None: there is no limit.
      figures: figures that only this matcher reports.
    """

    copies: np.ndarray
    quotas: np.ndarray
    ranks: np.ndarray | None = None
    weights: np.ndarray | None = None
    capped: np.ndarray | None = None
    figures: Mapping[str, float | int] = dataclasses.field(default_factory=dict)

    def expand(self, kept: np.ndarray) -> "Sample":
        """Returns this sample of the kept examples as a sample of all examples; the others are taken 0 times.

        Args:
          kept: bool [all examples], true for the examples of this sample, in their order.
        """

        def spread(values: np.ndarray) -> np.ndarray:
            expanded = np.zeros(len(kept), values.dtype)
            expanded[kept] = values
            return expanded

        weights = None if self.weights is None else spread(self.weights)
        return dataclasses.replace(self, copies=spread(self.copies), weights=weights)


@dataclasses.dataclass(frozen=True)
class Predicted:
    """The source classifier's predictions for images with known labels.

    Attributes:
      predictions: a Predictions table; see `components.artifacts.predictions`.
      index: the index of the same split, with the columns source_id and labels; it may have more examples.
    """

    predictions: pa.Table
    index: pa.Table


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The inputs of a draw; a matcher gets those that it names in `needs`, the others may be None.

    Attributes:
      pairs: the pairs of the source's train split, without excluded examples.
      prior: the prior that was estimated for that source, and a target.
      vocabulary: the source's labels.
      source: predictions for the source's eval split.
      target: predictions for the target's train split, with the target's own labels.

    Raises:
      ValueError: the prior was estimated for another source.
    """

    pairs: Pairs
    prior: LabelPrior | None = None
    vocabulary: Vocabulary | None = None
    source: Predicted | None = None
    target: Predicted | None = None

    def __post_init__(self) -> None:
        if self.prior is None:
            return
        if len(self.prior.names) != self.pairs.num_labels or not np.array_equal(self.pairs.counts, self.prior.counts):
            raise ValueError(
                "label_prior: its counts are not those of this index; it was estimated for another source, "
                "or with other exclusions"
            )
        # Equal counts alone do not make it the same vocabulary.
        if self.vocabulary is not None and self.vocabulary.names != self.prior.names:
            raise ValueError("label_prior: its labels are not in the order of the vocabulary; see label_prior.reorder")


def require(value: _Input | None, argument: str) -> _Input:
    """Returns an input that a matcher needs.

    Raises:
      ValueError: it is None.
    """
    if value is None:
        raise ValueError(f"{argument}: None, but the matcher needs it; give it in Inputs")
    return value


class Matcher(StrictModel):
    """A way to draw a pre-training set; its fields are its settings.

    Attributes:
      needs: the optional inputs of the ImportanceResampler that it reads: any of `label_prior`, `vocabulary`,
        `source_predictions`, `target_predictions` and `target_index`.
      of_target: the settings that a configuration gives for each target; the others are the same for all.
      takes_all: whether it takes every example once, weighting the loss, instead of drawing n.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    of_target: ClassVar[tuple[str, ...]] = ()
    takes_all: ClassVar[bool] = False

    @classmethod
    def depends_on_target(cls) -> bool:
        """Returns whether the sample depends on a target by more than the settings that stand there."""
        return not {"label_prior", "target_predictions", "target_index"}.isdisjoint(cls.needs)

    def check(self, n: int) -> None:
        """Checks that the matcher can draw a sample of size n.

        Raises:
          ValueError: n is out of range, or it was given and the matcher takes every example.
        """
        if not self.takes_all:
            quotas.check_n(n)
        elif n:
            raise ValueError(f"n: {n}, but this matcher takes every example once; leave n out")

    def check_labels(self, vocabulary: Vocabulary) -> None:
        """Checks that the source has the labels that the settings name; for matchers that need the vocabulary.

        Raises:
          ValueError: the source has no label of such a name.
        """

    @abc.abstractmethod
    def draw(self, inputs: Inputs, *, n: int, seed: int) -> Sample:
        """Returns a sample.

        Args:
          inputs: what the matcher needs.
          n: how many to draw, as `check` allows; the matcher decides what is counted.
          seed: another one gives another sample with the same quotas.

        Raises:
          ValueError: nothing can be drawn.
        """

    @abc.abstractmethod
    def explain(self, drawn: Drawn, row: int) -> tuple[Draw, ...]:
        """Returns the draws in which an example took part; its copies are their sum.

        Args:
          drawn: what this matcher drew.
          row: the example's row.
        """

    def weight(self, drawn: Drawn, row: int) -> float:
        """Returns the factor of an example's loss."""
        del drawn, row
        return 1.0
