"""The typed configuration of a run; `pipeline.config.load` reads one from YAML."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import pydantic

from components.importance_resampler import matchers
from components.importance_resampler.matchers.matcher import Matcher
from components.prior_estimator.settings import EstimatorSettings
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


Arm = Annotated[
    str, pydantic.AfterValidator(_check_arm), pydantic.WithJsonSchema({"type": "string", "enum": list(ARMS)})
]


class Evaluation(StrictModel):
    """When a model is good enough to be pushed. All values are measured on the target's eval split.

    Attributes:
      metric: the metric that decides.
      minimum: the smallest value that may be pushed.
      max_regression: how far the value may fall below that of the model that is served, or if none is, of the last one
        that was good enough.
      without_baseline: what happens if a model is served that the new one cannot be compared with, because its files
        are gone, it is from elsewhere, or it has other labels. `stop`: the new model is not pushed. `push`: it is.
    """

    renamed = {"max_loss": "max_regression"}

    metric: Literal["accuracy", "mean_per_class_accuracy"] = "accuracy"
    minimum: float = pydantic.Field(0.0, ge=0, le=1)
    max_regression: float = pydantic.Field(0.0, ge=0, le=1)
    without_baseline: Literal["stop", "push"] = "stop"


class _Target(StrictModel):
    """A target task. Settings of matchers that differ from target to target stand here, too.

    Attributes:
      data: the target's images, of any kind that a source has.
      arms: the ways to pre-train that are compared.
      push: the arm whose model is pushed, one of `arms`. null: no model is pushed.
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
    temperature: pydantic.PositiveFloat | Literal["fitted"] | None = None
    force: bool = False
    bootstrap: pydantic.NonNegativeInt = 200
    level: float = pydantic.Field(0.95, gt=0, lt=1)
    smoothing: float = pydantic.Field(0.0, ge=0, le=1)
    floor: float = pydantic.Field(0.0, ge=0, lt=1)
    assumption_threshold: pydantic.PositiveFloat = 1.5
    source_images: pydantic.PositiveInt = 20_000

    @pydantic.field_validator("temperature", mode="before")
    @classmethod
    def _check_temperature(cls, value: Any) -> float | str | None:
        # Before the union is validated, because its errors name its members instead of the key.
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if value not in (None, "fitted") and not (number and 0 < value < math.inf):
            raise ValueError("must be a positive number, or 'fitted'")
        return value


class _Resample(StrictModel):
    """How the pre-training sets are drawn. Settings of matchers that are the same for all targets stand here, too.

    Attributes:
      n: size of a pre-training set: (example, label) pairs for `same_distribution`, examples for the other arms.
        `weighted_loss` takes all examples.
      seed: seed of the draws. null: the run's seed.
      materialise: whether samples are written as Examples. If not, the Trainer reads the examples from the source's
        shards.
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


def shared_settings(arm: str, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the arm's settings in `target`, if its sample depends on nothing else of the target; else None."""
    if arm == ENTIRE_SOURCE:
        return {}
    kind = _MATCHERS[arm]
    return None if kind.depends_on_target() else kind(**{key: target[key] for key in kind.of_target}).model_dump()


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


class Config(StrictModel):
    """The configuration of a run.

    Attributes:
      name: name of the pipeline. Runs of the same name in a workspace reuse each other's results.
      seed: seed of initial weights, order, augmentation and draws.
      image: the images as the networks see them.
      backbone: the network.
      compute: the hardware and precision of all trainings.
      source: the large labelled data set. The key that names the data, such as `folder`, selects the kind.
      classifier: recipe of the source classifier, which predicts the target's images.
      pretrain: recipe of the specialists. All arms use the same, so that only their data differ.
      finetune: recipe of the fine-tuning on a target.
      checkpoint: when trainings are saved, so that they can go on after an interruption.
      near_duplicates: how near-duplicates of the targets' images are kept out of the source.
      prior: how P_t is estimated.
      resample: how the pre-training sets are drawn.
      targets: the target tasks by name. A name may have a-z, 0-9 and -, and is part of the ids of the target's nodes.
      on_anomalies: what happens when data break their schema in schemas/. `stop`: nothing is trained on them. `warn`:
        the run goes on, and lists the anomalies at its end.
      beam: arguments of the Beam jobs. Empty: Beam runs in memory, with one worker.
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
    targets: dict[str, Target] = pydantic.Field(
        min_length=1, json_schema_extra={"propertyNames": {"pattern": "^(?!source$)[a-z0-9-]+$"}}
    )
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

    def shared_settings(self, target: str, arm: str) -> dict[str, Any] | None:
        """Returns the settings of a target's arm whose sample depends on nothing else of the target; else None."""
        return shared_settings(arm, dict(self.targets[target]))

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
        if not self.prior.force:
            settings = EstimatorSettings(
                estimator=self.prior.estimator, temperature=self.prior.temperature, activation=self.classifier.loss
            )
            try:
                settings.check_temperature()
            except ValueError as error:
                raise ValueError(f"prior.{error}") from error
        return self
