"""The sections of a configuration that matchers add settings to, and those that are small."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pydantic

from components.settings import StrictModel
from pipeline.config.arms import MATCHERS, ArmName, optional_settings
from pipeline.config.data import Data


class Evaluation(StrictModel):
    """When a model is good enough to be pushed. All values are measured on the target's eval split.

    Attributes:
      metric: the metric that decides. `accuracy`; `mean_per_class_accuracy` and `f1_macro`, in which rare classes
        count as much as frequent ones; `cohen_kappa` and `matthews`, which are 0 for a guess.
      minimum: the smallest value that may be pushed.
      max_regression: how far the value may fall below that of the model that is served, or if none is, of the last one
        that was good enough.
      without_baseline: what happens if a model is served that the new one cannot be compared with, because its files
        are gone, it is from elsewhere, or it has other labels. `stop`: the new model is not pushed. `push`: it is.
    """

    renamed = {"max_loss": "max_regression"}

    metric: Literal["accuracy", "mean_per_class_accuracy", "f1_macro", "cohen_kappa", "matthews"] = "accuracy"
    minimum: float = pydantic.Field(0.0, ge=0, le=1)
    max_regression: float = pydantic.Field(0.0, ge=0, le=1)
    without_baseline: Literal["stop", "push"] = "stop"


class _Target(StrictModel):
    """A target task. Settings of matchers that differ from target to target stand here, too.

    Attributes:
      data: the target's images, of any kind that a source has.
      arms: the ways to pre-train that are compared. May be left out with `source.counts`.
      push: the arm whose model is pushed, one of `arms`. null: no model is pushed.
      evaluation: when a model is good enough to be pushed.
    """

    data: Data
    arms: list[ArmName] = []
    push: ArmName | None = None
    evaluation: Evaluation = Evaluation()

    @property
    def reported_split(self) -> str:
        """The split that results are reported on: test, or eval if there is none."""
        return "test" if "test" in self.data.splits else "eval"

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "_Target":
        if len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms: {self.arms} names an arm twice; remove one")
        return self


class _Resample(StrictModel):
    """How the pre-training sets are drawn. Settings of matchers that are the same for all targets stand here, too.

    Attributes:
      n: size of a pre-training set: (example, label) pairs for `same_distribution`, `uniform_labels` and
        `reversed_weights`, examples for the other arms. `weighted_loss` takes all examples.
      seed: seed of the draws. null: the run's seed.
      materialise: whether samples are written as Examples. If not, the Trainer reads the examples from the source's
        shards.
    """

    n: int = pydantic.Field(gt=0, lt=1 << 31)
    seed: int | None = pydantic.Field(None, ge=0, lt=1 << 32)
    materialise: bool = False


def _with_settings(base: type[StrictModel], *, of_target: bool) -> type[StrictModel]:
    """Returns `base` with the matchers' settings that belong to it. All of them are optional."""
    fields: dict[str, Any] = {}
    for matcher in MATCHERS.values():
        keys = (key for key in matcher.model_fields if (key in matcher.of_target) == of_target)
        fields |= optional_settings(matcher, tuple(keys))
    return pydantic.create_model(base.__name__.removeprefix("_"), __base__=base, __doc__=base.__doc__, **fields)


if TYPE_CHECKING:
    Target: TypeAlias = _Target
    Resample: TypeAlias = _Resample
else:
    Target, Resample = _with_settings(_Target, of_target=True), _with_settings(_Resample, of_target=False)


class NearDuplicates(StrictModel):
    """How near-duplicates of the targets' images are kept out of the source.

    Attributes:
      enabled: whether the filter runs. All images are then decoded once, for their perceptual hashes.
      distance: the largest Hamming distance, of 64 bits, between the perceptual hashes of two near-duplicates.
      flips: whether mirror images count as near-duplicates, too.
      embeddings: the smallest cosine between the classifier's embeddings of two near-duplicates, in a second stage that
        predicts the whole source. null: no second stage.
    """

    enabled: bool = True
    distance: int = pydantic.Field(6, ge=0, le=10)
    flips: bool = True
    embeddings: float | None = pydantic.Field(None, gt=0, le=1)

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "NearDuplicates":
        if self.embeddings is not None and not self.enabled:
            raise ValueError(f"embeddings: {self.embeddings} is a second stage; set enabled to true as well")
        return self
