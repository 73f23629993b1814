"""The typed configuration of a run; `pipeline.config.load` reads one from YAML."""

import re
from typing import Any, Literal

import pydantic

from components.importance_resampler.matchers.matcher import Matcher
from components.prior_estimator.settings import EstimatorSettings
from components.settings import StrictModel
from pipeline.config.arms import (
    PRESETS,
    PRIOR_SETTINGS,
    Arm,
    OwnArms,
    find_arm,
    shared_settings,
)
from pipeline.config.backbone import ConfiguredBackbone
from pipeline.config.beam import Beam
from pipeline.config.classifier import Classifier, ImportedClassifier, check_classifier, find_refusal
from pipeline.config.compare import Compare
from pipeline.config.data import Data
from pipeline.config.prior import Prior
from pipeline.config.remote import Remote, Resources
from pipeline.config.report import Report
from pipeline.config.sections import NearDuplicates, Resample, Target
from pipeline.config.source import NEEDED, Counts, Needed, Source, check_counts, leave_out_duplicates
from pipeline.config.weights import Weights
from trainer.models.backbone import ImageConfig
from trainer.recipes import Checkpoint, Compute, Recipe


class Config(StrictModel):
    """The configuration of a run.

    Attributes:
      name: name of the pipeline. Runs of the same name in a workspace reuse each other's results.
      seed: seed of initial weights, order, augmentation and draws.
      image: the images as the networks see them.
      backbone: the network.
      compute: the hardware and precision of all trainings.
      source: the large labelled data set. The key that names the data, such as `folder`, selects the kind. Or only its
        `counts`, from which `specialist run --until prior` says which labels matter: `image`, `backbone`, `pretrain`,
        `finetune`, `resample` and `targets.*.arms` may be left out then.
      classifier: the source classifier, which predicts the target's images: the recipe by which it is trained; or one
        that exists already, a `model` or the `weights` of a published network.
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
    image: Needed[ImageConfig]
    backbone: Needed[ConfiguredBackbone]
    compute: Compute = Compute()
    source: Source
    classifier: Classifier
    pretrain: Needed[Recipe]
    finetune: Needed[Recipe]
    checkpoint: Checkpoint = Checkpoint()
    near_duplicates: NearDuplicates = NearDuplicates()
    prior: Prior = Prior()
    resample: Needed[Resample]
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
        """Returns the data by name: 'source', if its images are at hand, or that of a target."""
        source = {} if isinstance(self.source, Counts) else {"source": self.source}
        return {**source, **{name: target.data for name, target in self.targets.items()}}

    @property
    def counts(self) -> Counts | None:
        """The source's label counts, if they are all that there is of it."""
        return self.source if isinstance(self.source, Counts) else None

    def require_source(self) -> Data:
        """Returns the data of the source.

        Raises:
          ValueError: only its label counts are there.
        """
        if isinstance(self.source, Counts):
            raise ValueError(
                f"source.counts: {self.source.counts!r} gives no images to train on; add --until prior to "
                "`specialist run`, or name the source's data, such as a folder, in place of counts"
            )
        return self.source

    def list_weights(self) -> dict[str, Weights]:
        """Returns key → the weights that are there before the run."""
        found = {"backbone.weights": self.backbone.weights if self.backbone else None}
        if isinstance(self.classifier, ImportedClassifier):
            found["classifier"] = self.classifier.file
        return {key: weights for key, weights in found.items() if weights is not None}

    def pin_weights(self, *, arms: bool = True) -> "Config":
        """Returns the configuration with the hashes of all weights that it names.

        Args:
          arms: whether arms are run; else the weights of `backbone`, which only they start from, need not be there.

        Raises:
          ValueError: they are not there, or others than the configuration says.
        """
        pinned: dict[str, Any] = {}
        for key in ("backbone", "classifier") if arms else ("classifier",):
            section = getattr(self, key)
            if isinstance(section, ConfiguredBackbone | ImportedClassifier):
                try:
                    pinned[key] = section.pin()
                except ValueError as error:
                    raise ValueError(f"{key}.{error}") from error
        return self.model_copy(update=pinned)

    def without_arms(self) -> "Config":
        """Returns a configuration of the same data, whose targets have no arms: of them only P_t is asked for."""
        targets = {name: target.model_copy(update={"arms": [], "push": None}) for name, target in self.targets.items()}
        return self.model_copy(update={"targets": targets})

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
        """Returns the arm of that name, with the network that it starts from.

        Raises:
          ValueError: there is none.
        """
        arm = find_arm(name, self.arms)
        if arm.start != "existing":
            return arm
        return arm.model_copy(
            update={"start": "published" if self.backbone and self.backbone.weights else "classifier"}
        )

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

    @property
    def trained_classifier(self) -> Recipe | None:
        """The recipe of the source classifier; None: it exists already."""
        return self.classifier if isinstance(self.classifier, Recipe) else None

    @property
    def classifier_images(self) -> int:
        """The number of images that the training of the source classifier sees; 0: it exists already."""
        recipe = self.trained_classifier
        return recipe.steps * recipe.batch_size if recipe else 0

    def find_refusal(self, arm: str) -> str | None:
        """Returns why an arm cannot be had with a classifier that exists already; None: it can."""
        return find_refusal(self.classifier, self.arm(arm), self.backbone, self.image)

    def prior_of(self, arm: str) -> Prior:
        """Returns how P_t is estimated for an arm."""
        settings = self.arm(arm)
        own = {key: getattr(settings, key) for key in PRIOR_SETTINGS}
        return self.prior.model_copy(update={key: value for key, value in own.items() if value is not None})

    def pretrain_of(self, arm: str) -> Recipe | None:
        """Returns the recipe of an arm's pre-training; None: there is none."""
        steps = self.arm(arm).steps
        if isinstance(steps, str):
            times, added = 1.0, self.classifier_images / self.pretrain.batch_size
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
        """Returns the setting that an arm needs on a target and that is not there; None: nothing is missing."""
        settings = self.arm(arm)
        if settings.start == "published" and self.backbone.weights is None:
            return "backbone.weights"
        for key in settings.kind.of_target if settings.kind else ():
            if getattr(settings, key) is None and getattr(self.targets[target], key) is None:
                return f"targets.{target}.{key}"
        return None

    @pydantic.field_validator("targets")
    @classmethod
    def _check_target_names(cls, value: dict[str, Target]) -> dict[str, Target]:
        for name in value:
            if not re.fullmatch(r"[a-z0-9-]+", name) or name == "source":
                raise ValueError(f"{name!r} is not a valid name of a target: use a-z, 0-9 and -, and not 'source'")
        return value

    @pydantic.model_validator(mode="before")
    @classmethod
    def _leave_out_duplicates(cls, value: Any) -> Any:
        return leave_out_duplicates(value)

    @pydantic.model_validator(mode="after")
    def _check_combinations(self) -> "Config":
        if self.counts is not None:
            duplicates = self.near_duplicates.enabled
            check_counts(self.counts, self.classifier, self.image, self.prior, near_duplicates=duplicates)
        else:
            self._check_training()
            self._check_arms()
        check_classifier(self.classifier, self.image, self.near_duplicates.embeddings)
        self._check_prior("prior.", self.prior)
        return self

    def _check_training(self) -> None:
        """Checks what a configuration that trains has to have, and how it goes together."""
        missing = [key for key in NEEDED if getattr(self, key) is None]
        missing += [f"targets.{name}.arms" for name, target in self.targets.items() if not target.arms]
        missing += [
            f"{name if name == 'source' else f'targets.{name}.data'}.splits"
            for name, data in self.datasets().items()
            if not data.is_labelled()
        ]
        if missing:
            raise ValueError(f"{', '.join(missing)}: missing; it can be left out with source.counts only")
        self.backbone.check(self.image)
        trained = {"classifier": self.trained_classifier, "pretrain": self.pretrain, "finetune": self.finetune}
        recipes = {key: recipe for key, recipe in trained.items() if recipe is not None}
        for key, recipe in recipes.items():
            if (shift := recipe.shift) > self.image.size:
                raise ValueError(f"{key}.shift: {shift}; must be at most the image's size, {self.image.size} pixels")
        for key in recipes.keys() - {"finetune"}:
            try:
                recipes[key].check_random_start()
            except ValueError as error:
                raise ValueError(f"{key}.{error}") from error
        for name, arm in self.arms.items():
            if arm.depends_on_target():
                self._check_prior(f"arms.{name}, with what it takes from prior: ", self.prior_of(name))

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
                    raise ValueError(f"{missing}: missing, and the arm {name} needs it; set it")
                if refusal := self.find_refusal(name):
                    raise ValueError(f"targets.{target}.arms.{i}: {name!r} has {refusal}")
            if settings.push and settings.push not in settings.arms:
                arms = ", ".join(settings.arms)
                raise ValueError(f"targets.{target}.push: {settings.push!r} is not one of the arms {arms}")
        for key, names in self.compare.arm_names().items():
            for name in names:
                try:
                    self.arm(name)
                except ValueError as error:
                    raise ValueError(f"compare.{key}: {error}") from error
                if refusal := self.find_refusal(name):
                    raise ValueError(f"compare.{key}: {name!r} has {refusal}")
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
