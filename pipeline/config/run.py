"""The typed configuration of a run; `pipeline.config.load` reads one from YAML."""

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

ENTIRE_SOURCE = "entire_source"  # the arm without a sample; the others bear their matchers' names
ARMS = (ENTIRE_SOURCE, *matchers.CLASSES)


def _check_arm(name: str) -> str:
    if name not in ARMS:
        raise ValueError(f"must be one of {', '.join(ARMS)}{did_you_mean(name, ARMS)}")
    return name


Arm = Annotated[str, pydantic.AfterValidator(_check_arm)]


class Evaluation(StrictModel):
    """When a model is good enough to be pushed, on the target's eval split.

    Attributes:
      metric: the metric to compare.
      minimum: lowest value at which a model is pushed.
      max_regression: largest drop below the last blessed model at which a model is pushed.
    """

    renamed = {"max_loss": "max_regression"}

    metric: Literal["accuracy", "mean_per_class_accuracy"] = "accuracy"
    minimum: float = pydantic.Field(0.0, ge=0, le=1)
    max_regression: float = pydantic.Field(0.0, ge=0, le=1)


class _Target(StrictModel):
    """A target task. Matchers add keys that each target sets for itself.

    Attributes:
      data: the target's images.
      arms: the ways to pre-train that are compared.
      push: the arm whose model is pushed; null: none.
      evaluation: when a model is good enough to be pushed.
    """

    data: Data
    arms: list[Arm] = pydantic.Field(min_length=1)
    push: Arm | None = None
    evaluation: Evaluation = Evaluation()

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "_Target":
        if len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms: {self.arms} names an arm twice; remove one")
        if self.push and self.push not in self.arms:
            raise ValueError(f"push: {self.push!r} is not one of the arms {', '.join(self.arms)}")
        for arm, matcher in _MATCHERS.items():
            for key in matcher.of_target:
                if (arm in self.arms) != bool(getattr(self, key)):
                    raise ValueError(
                        f"{key}: {getattr(self, key)} with the arms {', '.join(self.arms)}; set it if, and only if, "
                        f"{arm} is one of the arms"
                    )
        return self


class Prior(StrictModel):
    """How P_t is estimated; see `components.prior_estimator`.

    Attributes:
      estimator: mean_prediction is the paper's.
      temperature: divides the logits before the softmax, 2.0 in the paper; `fitted` calibrates them, as em and bbse
        assume.
      bootstrap: number of replicates for the intervals of P_t; 0: no intervals.
      level: share of the replicates inside an interval.
      smoothing: e in (1 − e) P_t + e P_s.
      floor: smallest P_t of every label that has source examples.
      assumption_threshold: ratio above which the target's images of a label count as unlike the source's.
      source_images: largest number of images of the source's eval split that are predicted, to fit the temperature, to
        correct the estimate and to check its assumption.
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
    def _check_temperature(cls, value: Any) -> float | str:
        # Before the union is validated, because its errors name its members instead of the key.
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value != "fitted" and not (number and 0 < value < math.inf):
            raise ValueError("must be a positive number, or 'fitted'")
        return value


class _Resample(StrictModel):
    """How the pre-training sets are drawn. Matchers add keys of their own.

    Attributes:
      n: size of a sample: (example, label) pairs for same_distribution, examples for the other arms. weighted_loss
        uses the whole source.
      seed: seed of the draws; null: the run's seed.
      materialise: whether samples are written as Examples; if not, the Trainer reads them from the source's shards.
    """

    n: int = pydantic.Field(gt=0, lt=1 << 31)
    seed: int | None = pydantic.Field(None, ge=0, lt=1 << 32)
    materialise: bool = False


_MATCHERS = {name: matchers.class_of(name) for name in matchers.CLASSES}


def _optional(field: pydantic.fields.FieldInfo) -> Any:
    kind: Any = field.annotation
    return kind | None, pydantic.fields.FieldInfo.merge_field_infos(field, default=None)


def _with_settings(base: type[StrictModel], *, of_target: bool) -> type[StrictModel]:
    """Returns `base` with the matchers' settings that belong to it. All of them are optional."""
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
    """How the targets' images are excluded from the source; see `components.near_duplicates`.

    Attributes:
      enabled: whether they are excluded. The images of the source and the targets are then decoded once to hash them.
      distance: largest number of bits, of 64, in which the perceptual hashes of two near-duplicates differ.
      flips: whether mirror images count as near-duplicates.
      embeddings: smallest cosine between the classifier's embeddings of two near-duplicates. It adds a second stage
        after the classifier's training, which predicts the whole source; null: no second stage.
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


class Config(StrictModel):
    """The configuration of a run.

    Attributes:
      name: name of the pipeline; runs of the same name share their history.
      seed: seed of weights, order, augmentation and draws.
      image, backbone: the input images and the network.
      compute: what all trainings run on.
      source, targets: the data. A target's name is part of its nodes' ids.
      classifier, pretrain, finetune: the recipes of the three trainings.
      checkpoint: when each training writes checkpoints, to resume after an interruption.
      near_duplicates: how the targets' images are excluded from the source.
      prior, resample: how P_t is estimated, and how the pre-training sets are drawn.
      on_anomalies: what to do with data that violate their schema (schemas/): `stop` stops before training on them,
        `warn` reports them at the end.
      beam: arguments of the Beam jobs; empty: those of the local runner.
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
        """Returns the data by name: 'source', or that of a target."""
        return {"source": self.source, **{name: target.data for name, target in self.targets.items()}}

    def matcher(self, target: str, arm: str) -> Matcher:
        """Returns the matcher of a target's arm, which must not be `entire_source`: it has none."""
        kind = _MATCHERS[arm]
        settings = {
            key: getattr(self.targets[target] if key in kind.of_target else self.resample, key)
            for key in kind.model_fields
        }
        return kind(**{key: value for key, value in settings.items() if value is not None})

    @pydantic.field_validator("targets")
    @classmethod
    def _check_target_names(cls, value: dict[str, Target]) -> dict[str, Target]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9-]+", name) or name == "source":
                raise ValueError(f"{name!r} is not a valid name of a target: use a-z, 0-9 and -, and not 'source'")
        return value

    @pydantic.model_validator(mode="after")
    def _check_combinations(self) -> "Config":
        self.backbone.check(self.image)
        for key in ("classifier", "pretrain", "finetune"):
            if (shift := getattr(self, key).shift) > self.image.size:
                raise ValueError(f"{key}.shift: {shift}; must be at most the image's size, {self.image.size} pixels")
        for key in ("classifier", "pretrain"):
            if frozen := getattr(self, key).frozen_epochs:
                raise ValueError(f"{key}.frozen_epochs: {frozen}; a random backbone has to be trained: set it to 0")
        if self.classifier.loss == "sigmoid" and self.prior.estimator != "mean_prediction":
            raise ValueError(
                f"prior.estimator: {self.prior.estimator!r} assumes one label an image, but classifier.loss "
                "'sigmoid' does not; use mean_prediction"
            )
        return self
