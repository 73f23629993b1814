"""The settings of PriorEstimator. Pure."""

import dataclasses
from typing import Final, Literal

from components.prior_estimator import posteriors

ESTIMATORS = ("mean_prediction", "em", "bbse")
FITTED: Final = "fitted"


@dataclasses.dataclass(frozen=True)
class EstimatorSettings:
    """How to estimate P_t.

    Attributes:
      estimator: 'mean_prediction' (the paper's), 'em' or 'bbse'; see `priors`.
      temperature: the logits are divided by it. 'fitted' fits it on a sample of the source's eval split. None: the
        paper's 2.0 with 'mean_prediction' and 'softmax'; else 'fitted', or 1.0 if no temperature fits.
      activation: 'softmax'; or 'sigmoid' if the labels do not exclude each other, with 'mean_prediction' only.
      bootstrap: number of replicates for the interval of P_t; 0: no interval.
      level: share of the replicates inside the interval.
      smoothing, floor: adjustments of P_t; see `priors.adjust`. 0: none.
      assumption_threshold: ratio above which the check of the assumption flags a label; see `assumption.check`.
      seed: seed of the bootstrap.

    Raises:
      ValueError: a value is out of range, or values exclude each other.
    """

    estimator: str = "mean_prediction"
    temperature: float | Literal["fitted"] | None = None
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
                f"estimator: {self.estimator!r} assumes one label an image, but activation 'sigmoid' does not; "
                "choose 'mean_prediction', or 'softmax'"
            )
        if self.temperature is not None and self.temperature != FITTED:
            posteriors.check_temperature(self.temperature)
        for name, is_valid, allowed in (
            ("bootstrap", self.bootstrap >= 0, "at least 0"),
            ("level", 0 < self.level < 1, "between 0 and 1"),
            ("smoothing", 0 <= self.smoothing <= 1, "from 0 to 1"),
            ("floor", 0 <= self.floor < 1, "at least 0 and less than the share of a label"),
            ("assumption_threshold", self.assumption_threshold > 0, "positive"),
            ("seed", self.seed >= 0, "at least 0"),
        ):
            if not is_valid:
                raise ValueError(f"{name}: {getattr(self, name)}; it must be {allowed}")

    @property
    def chosen_temperature(self) -> float | Literal["fitted"]:
        """The temperature, or its default."""
        if self.temperature is not None:
            return self.temperature
        return 2.0 if (self.estimator, self.activation) == ("mean_prediction", "softmax") else FITTED

    def check_temperature(self) -> None:
        """Checks that the estimator can work at the temperature.

        Raises:
          ValueError: 'em' or 'bbse' with a number, or 'sigmoid' with a number above 1.
        """
        if self.temperature is None or self.temperature == FITTED:
            return
        if self.estimator != "mean_prediction":
            reason = f"the estimator {self.estimator!r} assumes calibrated predictions"
        elif self.activation == "sigmoid" and self.temperature > 1:
            reason = "above 1 the sigmoids of all labels hide the few that an image has"
        else:
            return
        raise ValueError(
            f"temperature: {self.temperature}, but {reason}; leave temperature out, so that it is fitted, or set force "
            "to true"
        )

    def without_source(self) -> "EstimatorSettings":
        """Returns the settings for a source without images to fit a temperature on: the default is a number then."""
        if self.temperature is None and self.chosen_temperature == FITTED and self.estimator == "mean_prediction":
            return dataclasses.replace(self, temperature=1.0)
        return self

    @property
    def needs_source(self) -> bool:
        """Whether predictions for a sample of the source's eval split are needed."""
        return self.estimator != "mean_prediction" or self.chosen_temperature == FITTED

    def check_without_source(self) -> None:
        """Checks that the settings need no predictions for the source.

        Raises:
          ValueError: they need them.
        """
        if self.needs_source:
            raise ValueError(
                f"source_predictions: missing, but {self.activation!r} and estimator {self.estimator!r} with "
                f"temperature {self.chosen_temperature!r} need predictions for a sample of the source's eval split; "
                "give them, or choose 'mean_prediction' with a number"
            )
