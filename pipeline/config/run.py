"""The configuration of a run, typed; `pipeline.config.load` reads one from YAML."""

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import pydantic

from components.importance_resampler import matchers
from components.importance_resampler.matchers.matcher import Matcher
from components.settings import StrictModel, did_you_mean
from pipeline.config.data import Data
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Checkpoint, Compute, Recipe

ENTIRE_SOURCE = "entire_source"  # the arm that draws nothing; the others are named as their matchers
ARMS = (ENTIRE_SOURCE, *matchers.CLASSES)


def _known_arm(name: str) -> str:
    if name not in ARMS:
        raise ValueError(f"must be one of {', '.join(ARMS)}{did_you_mean(name, ARMS)}")
    return name


Arm = Annotated[str, pydantic.AfterValidator(_known_arm)]


class Evaluation(StrictModel):
    """When a model is good enough to be pushed, on the target's eval split.

    Attributes:
      metric: what decides.
      minimum: the least that is allowed.
      max_regression: how much less than the last blessed model is allowed.
    """

    renamed = {"max_loss": "max_regression"}

    metric: Literal["accuracy", "mean_per_class_accuracy"] = "accuracy"
    minimum: float = pydantic.Field(0.0, ge=0, le=1)
    max_regression: float = pydantic.Field(0.0, ge=0, le=1)


class _Target(StrictModel):
    """A target task; beside these keys there are those of its matchers that each target gives.

    Attributes:
      data: its images.
      arms: the ways to pre-train, compared.
      push: the arm that is pushed; null: none.
      evaluation: when a model is good enough to be pushed.
    """

    data: Data
    arms: list[Arm] = pydantic.Field(min_length=1)
    push: Arm | None = None
    evaluation: Evaluation = Evaluation()

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "_Target":
        if len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms: {self.arms} names one twice")
        if self.push and self.push not in self.arms:
            raise ValueError(f"push: {self.push!r} is not one of its arms, {', '.join(self.arms)}")
        for arm, matcher in _MATCHERS.items():
            for key in matcher.of_target:
                if (arm in self.arms) != bool(getattr(self, key)):
                    raise ValueError(
                        f"{key}: {getattr(self, key)} with the arms {', '.join(self.arms)}; the arm {arm} needs it, "
                        "and only that arm"
                    )
        return self


class Prior(StrictModel):
    """How P_t is estimated; see `components.prior_estimator`.

    Attributes:
      estimator: mean_prediction is the paper's.
      temperature: softens the predictions, 2.0 in the paper; `fitted` calibrates them, as em and bbse presume.
      bootstrap: replicates for the intervals of P_t; 0: no intervals.
      level: the share of the replicates inside an interval.
      smoothing: e in (1 − e) P_t + e P_s.
      floor: the least share of every label that has source examples.
      assumption_threshold: from which ratio on the target's images of a label count as unlike the source's.
      source_images: of the source's eval split, predicted to calibrate, to correct and to check by; at most this many.
    """

    estimator: Literal["mean_prediction", "em", "bbse"] = "mean_prediction"
    temperature: float | Literal["fitted"] = 2.0
    bootstrap: pydantic.NonNegativeInt = 200
    level: float = pydantic.Field(0.95, gt=0, lt=1)
    smoothing: float = pydantic.Field(0.0, ge=0, le=1)
    floor: float = pydantic.Field(0.0, ge=0, lt=1)
    assumption_threshold: pydantic.PositiveFloat = 1.5
    source_images: pydantic.PositiveInt = 20_000

    @pydantic.field_validator("temperature", mode="before")
    @classmethod
    def _temperature(cls, value: Any) -> float | str:
        # Before the union is tried, whose own errors name its members and not the key.
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value != "fitted" and not (number and 0 < value < math.inf):
            raise ValueError("must be a positive number, or 'fitted'")
        return value


class _Resample(StrictModel):
    """How the pre-training sets are drawn; beside these keys there are the matchers' own.

    Attributes:
      n: (example, label) pairs of same_distribution, examples of the other arms; weighted_loss takes all.
      seed: of the draws; null: the run's.
      materialise: whether samples are written as Examples; else the Trainer takes them from the source's shards.
    """

    n: int = pydantic.Field(gt=0, lt=1 << 31)
    seed: int | None = pydantic.Field(None, ge=0, lt=1 << 32)
    materialise: bool = False


_MATCHERS = {name: matchers.class_of(name) for name in matchers.CLASSES}


def _optional(field: pydantic.fields.FieldInfo) -> Any:
    kind: Any = field.annotation
    return kind | None, pydantic.fields.FieldInfo.merge_field_infos(field, default=None)


def _with_settings(base: type[StrictModel], *, of_target: bool) -> type[StrictModel]:
    """Returns `base` with the matchers' settings that belong to it; each may be left out by who does not use it."""
    fields = {
        key: _optional(field)
        for matcher in _MATCHERS.values()
        for key, field in matcher.model_fields.items()
        if (key in matcher.of_target) == of_target
    }
    return pydantic.create_model(base.__name__.removeprefix("_"), __base__=base, __doc__=base.__doc__, **fields)


if TYPE_CHECKING:
    Target: TypeAlias = _Target
    Resample: TypeAlias = _Resample
else:
    Target, Resample = _with_settings(_Target, of_target=True), _with_settings(_Resample, of_target=False)


class NearDuplicates(StrictModel):
    """How the targets' images are kept out of the source; see `components.near_duplicates`.

    Attributes:
      enabled: whether they are. The source's and the targets' images are then decoded once, for their hashes.
      distance: bits, of 64, in which the perceptual hashes of two near-duplicates differ at most.
      flips: whether mirror images count too.
      embeddings: the cosine from which on two images are alike to the classifier, for a second stage after it was
        trained, which predicts all of the source; null: none.
    """

    enabled: bool = True
    distance: int = pydantic.Field(6, ge=0, le=10)
    flips: bool = True
    embeddings: float | None = pydantic.Field(None, gt=0, le=1)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "NearDuplicates":
        if self.embeddings is not None and not self.enabled:
            raise ValueError(f"embeddings: {self.embeddings} is a second stage; set enabled to true, too")
        return self


class Config(StrictModel):
    """Everything a run depends on.

    Attributes:
      name: of the pipeline; runs of the same name share their history.
      seed: of weights, order, augmentation and draws.
      image, backbone: what goes into the networks, and which.
      compute: what all trainings run on.
      source, targets: the data. A target's name is part of its nodes' ids.
      classifier, pretrain, finetune: the recipes of the three trainings.
      checkpoint: when each of them is saved, to go on after an interruption.
      near_duplicates: how the targets' images are kept out of the source.
      prior, resample: from the classifier to the sample.
      on_anomalies: what comes of data that their schema (schemas/) does not allow: `stop` trains nothing on them,
        `warn` only tells of them at the end.
      beam: arguments of the Beam jobs; empty: the local runner's own.
    """

    name: str = pydantic.Field(pattern=r"^[a-z0-9-]+$")
    seed: int = pydantic.Field(0, ge=0, lt=1 << 32)
    image: ImageConfig
    backbone: Backbone
    compute: Compute = Compute()
    source: Data
    classifier: Recipe
    pretrain: Recipe
    finetune: Recipe
    checkpoint: Checkpoint = Checkpoint()
    near_duplicates: NearDuplicates = NearDuplicates()
    prior: Prior = Prior()
    resample: Resample
    targets: dict[str, Target] = pydantic.Field(min_length=1)
    on_anomalies: Literal["stop", "warn"] = "stop"
    beam: list[str] = []

    def datasets(self) -> dict[str, Data]:
        """Returns the data by the name of their side: 'source', or a target's."""
        return {"source": self.source, **{name: target.data for name, target in self.targets.items()}}

    def matcher(self, target: str, arm: str) -> Matcher:
        """Returns the matcher of a target's arm; not of `entire_source`, which has none."""
        kind = _MATCHERS[arm]
        settings = {
            key: getattr(self.targets[target] if key in kind.of_target else self.resample, key)
            for key in kind.model_fields
        }
        return kind(**{key: value for key, value in settings.items() if value is not None})

    @pydantic.field_validator("targets")
    @classmethod
    def _names(cls, value: dict[str, Target]) -> dict[str, Target]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9-]+", name) or name == "source":
                raise ValueError(f"{name!r} is no name for a target: use a-z, 0-9 and -, and not 'source'")
        return value

    @pydantic.model_validator(mode="after")
    def _fits(self) -> "Config":
        self.backbone.check(self.image)
        for key in ("classifier", "pretrain", "finetune"):
            if (shift := getattr(self, key).shift) > self.image.size:
                raise ValueError(
                    f"{key}.shift: {shift}; an image of {self.image.size} pixels moves by that many at most"
                )
        for key in ("classifier", "pretrain"):
            if frozen := getattr(self, key).frozen_epochs:
                raise ValueError(f"{key}.frozen_epochs: {frozen}; a random backbone has to be trained, set it to 0")
        if self.classifier.loss == "sigmoid" and self.prior.estimator != "mean_prediction":
            raise ValueError(
                f"prior.estimator: {self.prior.estimator!r} presumes one label an image, and classifier.loss 'sigmoid' "
                "does not; use mean_prediction"
            )
        return self
