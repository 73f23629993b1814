"""The typed configuration of a run; `pipeline.config.load` reads one from YAML."""

import re
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pydantic

from components.importance_resampler.matchers.matcher import Matcher
from components.prior_estimator.settings import EstimatorSettings
from components.settings import StrictModel
from pipeline.config.arms import (
    MATCHERS,
    PRESETS,
    PRIOR_SETTINGS,
    Arm,
    ArmName,
    OwnArms,
    find_arm,
    optional_settings,
    shared_settings,
)
from pipeline.config.beam import Beam
from pipeline.config.compare import Compare
from pipeline.config.data import Data
from pipeline.config.prior import Prior
from pipeline.config.remote import Remote, Resources
from pipeline.config.report import Report
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Checkpoint, Compute, Recipe


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
      arms: the ways to pre-train that are compared.
      push: the arm whose model is pushed, one of `arms`. null: no model is pushed.
      evaluation: when a model is good enough to be pushed.
    """

    data: Data
    arms: list[ArmName] = pydantic.Field(min_length=1)
    push: ArmName | None = None
    evaluation: Evaluation = Evaluation()

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
      arms: further ways to pre-train by name, besides those that docs/configuration.md lists. A name may have a-z, 0-9
        and _.
      targets: the target tasks by name. A name may have a-z, 0-9 and -, and is part of the ids of the target's nodes.
      compare: what `specialist compare` does. `run` does not read it.
      report: what the report at the end of a run or a comparison shows.
      on_anomalies: what happens when data break their schema in schemas/. `stop`: nothing is trained on them. `warn`:
        the run goes on, and lists the anomalies at its end.
      beam: which runner does the work of Beam jobs when `run` and `compare` start them: that of `all` of them, of those
        of a component, such as `Predictor`, or of one step by its id. A runner alone is for all. Empty: Beam runs in
        memory, with one worker.
      remote: where `specialist compile` and `submit` let it run. `run` does not read it.
      resources: what the steps of a remote run are given: `all` of them, those of a component, such as `Trainer`, or
        one by its id. The keys of what is more special replace those of what is more general.
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
    arms: OwnArms = {}
    targets: dict[str, Target] = pydantic.Field(
        min_length=1, json_schema_extra={"propertyNames": {"pattern": "^(?!source$)[a-z0-9-]+$"}}
    )
    compare: Compare = Compare()
    report: Report = Report()
    on_anomalies: Literal["stop", "warn"] = "stop"
    beam: Beam = {}
    remote: Remote | None = None
    resources: dict[str, Resources] = {}

    def datasets(self) -> dict[str, Data]:
        """Returns the data by name: 'source', or that of a target."""
        return {"source": self.source, **{name: target.data for name, target in self.targets.items()}}

    def require_remote(self) -> Remote:
        """Returns the section `remote`.

        Raises:
          ValueError: there is none.
        """
        if self.remote is None:
            raise ValueError("remote: missing; it says where a run on a cluster has its files, and its image")
        return self.remote

    def endpoint_name(self, target: str) -> str:
        """Returns the id of a target's endpoint, and of its model in the Model Registry."""
        return self.require_remote().endpoints[target].name or f"{self.name}-{target}"

    def arm(self, name: str) -> Arm:
        """Returns the arm of that name.

        Raises:
          ValueError: there is none.
        """
        return find_arm(name, self.arms)

    def matcher(self, target: str, arm: str) -> Matcher | None:
        """Returns the matcher of a target's arm; None: it draws nothing."""
        settings = self.arm(arm)
        kind = settings.kind
        if kind is None:
            return None
        values = {}
        for key in kind.model_fields:
            general = getattr(self.targets[target] if key in kind.of_target else self.resample, key)
            own = getattr(settings, key)
            values[key] = general if own is None else own
        return kind(**{key: value for key, value in values.items() if value is not None})

    def sample_size(self, arm: str) -> int:
        """Returns n of an arm whose matcher does not take everything."""
        return self.arm(arm).n or self.resample.n

    def prior_of(self, arm: str) -> Prior:
        """Returns how P_t is estimated for an arm."""
        settings = self.arm(arm)
        own = {key: getattr(settings, key) for key in PRIOR_SETTINGS}
        return self.prior.model_copy(update={key: value for key, value in own.items() if value is not None})

    def pretrain_of(self, arm: str) -> Recipe | None:
        """Returns the recipe of an arm's pre-training; None: there is none."""
        steps = self.arm(arm).steps
        if isinstance(steps, str):
            times, added = (1.0, self.classifier.steps * self.classifier.batch_size / self.pretrain.batch_size)
            if steps != "total":
                times, added = float(steps.removesuffix("x")), 0.0
            steps = max(1, round(times * self.pretrain.steps + added))
        if steps is None:
            return self.pretrain
        return self.pretrain.model_copy(update={"steps": steps}) if steps else None

    def shared_settings(self, target: str, arm: str) -> dict[str, Any] | None:
        """Returns the settings of a target's arm whose sample depends on nothing else of the target; else None."""
        return shared_settings(self.arm(arm), dict(self.targets[target]))

    def find_missing(self, target: str, arm: str) -> str | None:
        """Returns the setting of `target` that an arm needs and that neither has; None: nothing is missing."""
        settings = self.arm(arm)
        for key in settings.kind.of_target if settings.kind else ():
            if getattr(settings, key) is None and getattr(self.targets[target], key) is None:
                return key
        return None

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
        self._check_arms()
        for key in ("classifier", "pretrain", "finetune"):
            if (shift := getattr(self, key).shift) > self.image.size:
                raise ValueError(f"{key}.shift: {shift}; must be at most the image's size, {self.image.size} pixels")
        for key in ("classifier", "pretrain"):
            if frozen := getattr(self, key).frozen_epochs:
                raise ValueError(f"{key}.frozen_epochs: {frozen}; a random backbone has to be trained: set it to 0")
        self._check_prior("prior.", self.prior)
        for name, arm in self.arms.items():
            if arm.depends_on_target():
                self._check_prior(f"arms.{name}, with what it takes from prior: ", self.prior_of(name))
        return self

    def _check_prior(self, place: str, prior: Prior) -> None:
        if self.classifier.activation == "sigmoid" and prior.estimator != "mean_prediction":
            raise ValueError(
                f"{place}estimator: {prior.estimator!r} assumes one label an image, but classifier.loss "
                f"{self.classifier.loss!r} does not; use mean_prediction"
            )
        if not prior.force:
            settings = EstimatorSettings(
                estimator=prior.estimator, temperature=prior.temperature, activation=self.classifier.activation
            )
            try:
                settings.check_temperature()
            except ValueError as error:
                raise ValueError(f"{place}{error}") from error

    def _check_arms(self) -> None:
        for target, settings in self.targets.items():
            for i, name in enumerate(settings.arms):
                try:
                    self.arm(name)
                except ValueError as error:
                    raise ValueError(f"targets.{target}.arms.{i}: {error}") from error
                if missing := self.find_missing(target, name):
                    raise ValueError(f"targets.{target}.{missing}: missing, and the arm {name} needs it; set it")
            if settings.push and settings.push not in settings.arms:
                arms = ", ".join(settings.arms)
                raise ValueError(f"targets.{target}.push: {settings.push!r} is not one of the arms {arms}")
        for key, names in self.compare.arm_names().items():
            for name in names:
                try:
                    self.arm(name)
                except ValueError as error:
                    raise ValueError(f"compare.{key}: {error}") from error
        self._check_ids()
        if unknown := sorted(set(self.compare.targets or ()) - self.targets.keys()):
            raise ValueError(f"compare.targets: {unknown[0]!r} is not one of {', '.join(self.targets)}")

    def _check_ids(self) -> None:
        """Checks that no two arms have nodes of the same ids, in which a _ of an arm's name is a -."""
        found: dict[str, tuple[str, str]] = {}
        for side in ("source", *self.targets) if self.arms else ():
            for arm in (*PRESETS, *self.arms):
                other = found.setdefault(f"{side}-{arm}".replace("_", "-"), (side, arm))
                if other != (side, arm):
                    raise ValueError(
                        f"arms: {arm!r} of {side} would have the same nodes as {other[1]!r} of {other[0]}; rename one "
                        "of the arms, or a target"
                    )
