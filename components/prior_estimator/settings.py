"""How P_t is to be estimated. Pure."""

import dataclasses
from typing import Final, Literal

import numpy as np

from components.prior_estimator import posteriors

ESTIMATORS = ("mean_prediction", "em", "bbse")
FITTED: Final = "fitted"


@dataclasses.dataclass(frozen=True)
class EstimatorSettings:
    """How to estimate P_t.

    Attributes:
      estimator: 'mean_prediction' (the paper's), 'em' or 'bbse'; see `priors`.
      temperature: what the logits are divided by, 2.0 in the paper; or 'fitted', on the sample of the source's eval
        split, which 'em' and 'bbse' should have: they presume calibrated posteriors.
      activation: 'softmax'; or 'sigmoid' if the classifier's labels do not exclude each other, with 'mean_prediction'.
      bootstrap: replicates for the interval of P_t; 0: no interval.
      level: the share of the replicates that the interval holds.
      smoothing, floor: what to do to P_t afterwards; see `priors.adjust`. 0: nothing.
      assumption_threshold: the ratio above which the check of the assumption flags a label; see `assumption.check`.
      seed: of the bootstrap.

    Raises:
      ValueError: one is out of range, or they do not go together.
    """

    estimator: str = "mean_prediction"
    temperature: float | Literal["fitted"] = 2.0
    activation: str = "softmax"
    bootstrap: int = 0
    level: float = 0.95
    smoothing: float = 0.0
    floor: float = 0.0
    assumption_threshold: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in (("estimator", ESTIMATORS), ("activation", posteriors.ACTIVATIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: {getattr(self, name)!r}; choose one of {', '.join(choices)}")
        if self.activation == "sigmoid" and self.estimator != "mean_prediction":
            raise ValueError(
                f"estimator: {self.estimator!r} presumes one label an image, which activation 'sigmoid' denies; "
                "choose 'mean_prediction', or 'softmax'"
            )
        if self.temperature != FITTED:
            numeric = isinstance(self.temperature, (int, float)) and not isinstance(self.temperature, bool)
            if not (numeric and np.isfinite(self.temperature) and self.temperature > 0):
                raise ValueError(f"temperature: {self.temperature!r}; it must be a positive number, or {FITTED!r}")
        for name, fits, allowed in (
            ("bootstrap", self.bootstrap >= 0, "at least 0"),
            ("level", 0 < self.level < 1, "between 0 and 1"),
            ("smoothing", 0 <= self.smoothing <= 1, "from 0 to 1"),
            ("floor", 0 <= self.floor < 1, "at least 0 and less than the share of a label"),
            ("assumption_threshold", self.assumption_threshold > 0, "positive"),
            ("seed", self.seed >= 0, "at least 0"),
        ):
            if not fits:
                raise ValueError(f"{name}: {getattr(self, name)}; it must be {allowed}")

    def check_without_source(self) -> None:
        """Refuses what cannot be done without predictions for the source.

        Raises:
          ValueError: these settings need them.
        """
        if self.estimator != "mean_prediction" or self.temperature == FITTED:
            raise ValueError(
                f"source_predictions: missing, but estimator {self.estimator!r} with temperature {self.temperature!r} "
                "needs predictions for a sample of the source's eval split; give them, or choose 'mean_prediction' "
                "with a number"
            )
