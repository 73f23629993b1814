"""What `specialist compare` compares, and how."""

from typing import Literal

import pydantic

from components.settings import StrictModel
from pipeline.config.arms import ENTIRE_SOURCE, ArmName


class Compare(StrictModel):
    """A comparison of arms by `specialist compare`, which repeats each with several seeds.

    Attributes:
      seeds: how often pre-training, sampling and fine-tuning are repeated, with the seeds `seed`, `seed` + 1, …
      arms: the arms. `all`: every preset whose needs are configured. null: those of the targets.
      targets: the names of the targets. null: all.
      reference: the arm that the others are compared with.
      metric: what is compared, measured on the test split. null: the metric of each target's `evaluation`.
      equivalence: two arms are equal if their difference surely lies within ± this; 0.01 is a point.
      vary: what else changes with the seed. `classifier`: it is trained anew for each, and P_t is estimated anew.
        `target_train`: the target's train images are drawn anew, as many, with replacement.
      learning_rates: the fine-tuning's, of which each arm gets the best on the eval split. Empty: that of `finetune`.
      shots: numbers of target images a class; fine-tuning and P_t then see only so many. Empty: all of them.
      evaluate_specialists: whether the specialists are evaluated on the source's eval split.
    """

    seeds: int = pydantic.Field(5, ge=1, le=1000)
    arms: list[ArmName] | Literal["all"] | None = None
    targets: list[str] | None = None
    reference: ArmName = ENTIRE_SOURCE
    metric: Literal["accuracy", "mean_per_class_accuracy"] | None = None
    equivalence: float = pydantic.Field(0.01, gt=0, lt=1)
    vary: list[Literal["classifier", "target_train"]] = []
    learning_rates: list[pydantic.PositiveFloat] = []
    shots: list[pydantic.PositiveInt] = []
    evaluate_specialists: bool = False

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "Compare":
        for key in ("arms", "targets", "vary", "learning_rates", "shots"):
            values = getattr(self, key)
            if isinstance(values, list) and len(set(values)) != len(values):
                raise ValueError(f"{key}: {values} names one twice; remove it")
            if values == [] and key in ("arms", "targets"):
                raise ValueError(f"{key}: [] names none; name one, or leave it out")
        return self

    def arm_names(self) -> dict[str, list[str]]:
        """Returns the names of arms that are given here, by key."""
        return {"arms": self.arms if isinstance(self.arms, list) else [], "reference": [self.reference]}
