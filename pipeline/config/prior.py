"""How the configuration says that P_t is estimated."""

import math
from typing import Annotated, Any, Literal

import pydantic

from components.settings import StrictModel


def _check_temperature(value: Any) -> Any:
    # Before the union is validated, because its errors name its members instead of the key.
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value not in (None, "fitted") and not (number and 0 < value < math.inf):
        raise ValueError("must be a positive number, or 'fitted'")
    return value


Temperature = Annotated[pydantic.PositiveFloat | Literal["fitted"] | None, pydantic.BeforeValidator(_check_temperature)]


class Prior(StrictModel):
    """How P_t is estimated.

    Attributes:
      estimator: `mean_prediction` is the paper's; docs/method.md compares the three.
      temperature: logits are divided by it. `fitted` calibrates the classifier on the source's eval split. null: the
        paper's 2.0 with `mean_prediction` and a classifier with `loss: softmax`; else `fitted`, or 1.0 if no
        temperature fits.
      force: allows a number with `em` and `bbse`, which assume calibrated predictions, and one above 1 with `loss:
        sigmoid`, which hides the labels of an image.
      bootstrap: number of bootstrap replicates for the intervals of P_t. 0: no intervals.
      level: the share of the replicates inside an interval.
      smoothing: the weight e of P_s in (1 − e) P_t + e P_s.
      floor: the smallest P_t of every label that has source examples.
      assumption_threshold: a label is flagged if the target's images that are predicted as it lie this many times as
        far from its mean embedding in the source as the source's own images do.
      source_images: the largest number of the source's eval images that are predicted, for calibration, correction and
        the check of the assumption.
    """

    estimator: Literal["mean_prediction", "em", "bbse"] = "mean_prediction"
    temperature: Temperature = None
    force: bool = False
    bootstrap: pydantic.NonNegativeInt = 200
    level: float = pydantic.Field(0.95, gt=0, lt=1)
    smoothing: float = pydantic.Field(0.0, ge=0, le=1)
    floor: float = pydantic.Field(0.0, ge=0, lt=1)
    assumption_threshold: pydantic.PositiveFloat = 1.5
    source_images: pydantic.PositiveInt = 20_000
