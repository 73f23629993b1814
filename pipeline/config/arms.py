"""Arms, the ways to pre-train: data, some of which have a name."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import pydantic

from components.importance_resampler import matchers
from components.importance_resampler.matchers.matcher import Matcher
from components.settings import StrictModel, did_you_mean
from pipeline.config.prior import Temperature

MATCHERS = {name: matchers.class_of(name) for name in matchers.CLASSES}
ENTIRE_SOURCE = "entire_source"
_NAME = r"[a-z0-9_]+"
_MULTIPLE = r"[0-9]+(\.[0-9]+)?x"
PRIOR_SETTINGS = ("estimator", "temperature", "smoothing", "floor")


def optional_settings(matcher: type[Matcher], keys: tuple[str, ...]) -> dict[str, Any]:
    """Returns fields, as `pydantic.create_model` takes them, for those of a matcher's settings that are in `keys`."""
    fields = {}
    for key, field in matcher.model_fields.items():
        if key in keys:
            kind: Any = field.annotation
            fields[key] = kind | None, pydantic.fields.FieldInfo.merge_field_infos(field, default=None)
    return fields


def _check_steps(value: Any) -> Any:
    # Before the union is validated, because its errors name its members instead of the key.
    number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    multiple = isinstance(value, str) and re.fullmatch(_MULTIPLE, value) and float(value.removesuffix("x")) > 0
    if value not in (None, "total") and not number and not multiple:
        raise ValueError("must be an integer of at least 0, a positive multiple such as 2x, or total")
    return value


Steps = Annotated[int | str | None, pydantic.BeforeValidator(_check_steps)]


class _Arm(StrictModel):
    """A way to pre-train. Settings of its matcher stand here, too, where they differ from those of the other arms.

    Attributes:
      matcher: how the pre-training set is drawn. null: it is the entire source.
      n: its size. null: `resample.n`.
      start: the weights that the pre-training starts from: `random`; those of the source `classifier`; `published`,
        those that `backbone.weights` names; or `existing`, the published ones where there are some, else the
        classifier's.
      steps: optimiser steps of the pre-training. 0: there is none. `2x` or another multiple: of `pretrain.steps`.
        `total`: those of `pretrain`, and as many as show as many images as the classifier was trained on. null:
        `pretrain.steps`.
      transfer: what the target makes of the network. `finetune`: it is trained by the recipe `finetune`. It stays as it
        is for `linear_probe`, a logistic regression on its features, and for `knn`, a vote of the nearest train images;
        eval chooses the regularisation, and the number of neighbours.
      estimator: that of `prior`, for this arm. null: as there.
      temperature: that of `prior`, for this arm. null: as there.
      smoothing: that of `prior`, for this arm. null: as there.
      floor: that of `prior`, for this arm. null: as there.
    """

    matcher: str | None = pydantic.Field(None, json_schema_extra={"enum": [*MATCHERS, None]})
    n: int | None = pydantic.Field(None, gt=0, lt=1 << 31)
    start: Literal["random", "classifier", "published", "existing"] = "random"
    steps: Steps = None
    transfer: Literal["finetune", "linear_probe", "knn"] = "finetune"
    estimator: Literal["mean_prediction", "em", "bbse"] | None = None
    temperature: Temperature = None
    smoothing: float | None = pydantic.Field(None, ge=0, le=1)
    floor: float | None = pydantic.Field(None, ge=0, lt=1)

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "_Arm":
        if self.matcher is not None and self.matcher not in MATCHERS:
            hint = did_you_mean(self.matcher, MATCHERS)
            raise ValueError(f"matcher: {self.matcher!r} is not one of {', '.join(MATCHERS)}{hint}")
        kind = MATCHERS[self.matcher] if self.matcher else None
        if kind and self.steps == 0:
            raise ValueError(f"steps: 0, so that nothing is trained on what {self.matcher} draws; leave matcher out")
        if self.transfer != "finetune" and self.steps == 0 and self.start == "random":
            raise ValueError(f"transfer: {self.transfer!r} of random weights says nothing; set start, or steps")
        if self.n is not None and (kind is None or kind.takes_all):
            raise ValueError(f"n: {self.n}, but this arm takes every example of the source; leave it out")
        for key in PRIOR_SETTINGS:
            if getattr(self, key) is not None and not (kind and kind.depends_on_target()):
                raise ValueError(f"{key}: {getattr(self, key)!r}, but this arm does not depend on P_t; leave it out")
        for key in self.model_fields_set - _Arm.model_fields.keys():
            if getattr(self, key) is not None and not (kind and key in kind.model_fields):
                raise ValueError(f"{key}: is no setting of the matcher {self.matcher}; leave it out")
        return self

    @property
    def kind(self) -> type[Matcher] | None:
        """The class of the matcher."""
        return MATCHERS[self.matcher] if self.matcher else None

    def depends_on_target(self) -> bool:
        """Returns whether the sample depends on a target by more than the settings that stand there."""
        return self.kind is not None and self.kind.depends_on_target()

    def needs_classifier(self) -> bool:
        """Returns whether it cannot be had without the source classifier."""
        return self.start == "classifier" or self.depends_on_target()


_SETTINGS: dict[str, Any] = {}
for _matcher in MATCHERS.values():
    _SETTINGS |= optional_settings(_matcher, tuple(_matcher.model_fields))

if TYPE_CHECKING:
    Arm: TypeAlias = _Arm
else:
    Arm = pydantic.create_model("Arm", __base__=_Arm, __doc__=_Arm.__doc__, **_SETTINGS)

PRESETS: dict[str, Arm] = {
    ENTIRE_SOURCE: Arm(),
    **{name: Arm(matcher=name) for name in MATCHERS},
    "random_init": Arm(steps=0),
    "source_classifier": Arm(start="classifier", steps=0),
    "warm_start": Arm(matcher="same_distribution", start="classifier"),
    "published_finetune": Arm(start="published", steps=0),
    "published_warm_start": Arm(matcher="same_distribution", start="published"),
    "linear_probe": Arm(start="existing", steps=0, transfer="linear_probe"),
    "knn": Arm(start="existing", steps=0, transfer="knn"),
    f"{ENTIRE_SOURCE}_2x": Arm(steps="2x"),
    f"{ENTIRE_SOURCE}_4x": Arm(steps="4x"),
    f"{ENTIRE_SOURCE}_total": Arm(steps="total"),
}
# What each of them is, for the reference page and for reports.
DESCRIPTIONS = {
    ENTIRE_SOURCE: "Pre-trained on the whole source, all of its images in random order: the usual way.",
    "same_distribution": "Pre-trained on a sample of the source in which each label has the share that the source "
    "classifier gives it among the target's images: the paper's choice.",
    "elastic_distribution": "Pre-trained on the source images whose labels the target has most often, compared with "
    "the source, each image once.",
    "uniform_subsample": "Pre-trained on source images drawn at random, whatever the target is.",
    "label_subset": "Pre-trained on source images drawn at random from those of the labels that the configuration "
    "names.",
    "emd_subset": "Pre-trained on the source images of those labels whose images resemble the target's most, by a "
    "network's features.",
    "reversed_weights": "Pre-trained on a sample of the labels with the largest share of the target, but with the "
    "largest and the smallest share exchanged, and so on: a control.",
    "uniform_labels": "Pre-trained on a sample of the labels with the largest share of the target, as many images of "
    "each.",
    "weighted_loss": "Pre-trained on the whole source; an image counts as much as the target has its label more often "
    "than the source.",
    "random_init": "Not pre-trained: fine-tuning starts from random weights. The paper's lower baseline.",
    "source_classifier": "Not pre-trained anew: the source classifier, trained for its own budget, is fine-tuned as it "
    "is.",
    "warm_start": "The source classifier, trained on with the sample of `same_distribution`.",
    "published_finetune": "Not pre-trained here: a published network is fine-tuned. What one would do instead.",
    "published_warm_start": "A published network, trained on with the sample of `same_distribution`.",
    "linear_probe": "Not trained: a logistic regression on the features of a published network, or of the classifier.",
    "knn": "Not trained: a vote of the nearest train images, by the features of the same network.",
    f"{ENTIRE_SOURCE}_2x": "As `entire_source`, for twice the steps: is it only under-trained?",
    f"{ENTIRE_SOURCE}_4x": "As `entire_source`, for four times the steps.",
    f"{ENTIRE_SOURCE}_total": "As `entire_source`, for the steps of pre-training and classifier: an equal total.",
}


def _check_names(arms: dict[str, Arm]) -> dict[str, Arm]:
    for name in arms:
        if not re.fullmatch(_NAME, name):
            raise ValueError(f"{name!r} is not a valid name of an arm: use a-z, 0-9 and _")
        if name in PRESETS:
            raise ValueError(f"{name!r} is a preset, which cannot be defined again; choose another name")
    return arms


OwnArms = Annotated[
    dict[str, Arm],
    pydantic.AfterValidator(_check_names),
    pydantic.Field(json_schema_extra={"propertyNames": {"pattern": f"^{_NAME}$"}}),
]
# Whether there is such an arm is checked where the configuration's own arms are known.
ArmName = Annotated[
    str, pydantic.WithJsonSchema({"anyOf": [{"enum": list(PRESETS)}, {"type": "string", "pattern": f"^{_NAME}$"}]})
]


def find_arm(name: str, own: Mapping[str, Arm]) -> Arm:
    """Returns the arm `name`, one of the presets or of the configuration's `own`.

    Raises:
      ValueError: there is none.
    """
    known = {**PRESETS, **own}
    if name not in known:
        raise ValueError(f"{name!r}: must be one of {', '.join(known)}{did_you_mean(name, known)}")
    return known[name]


def shared_settings(arm: Arm, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns the arm's settings in `target`, if its sample depends on nothing else of the target; else None."""
    kind = arm.kind
    if kind is None:
        return {}
    if kind.depends_on_target():
        return None
    values = {key: getattr(arm, key) or target[key] for key in kind.of_target}
    return kind(**values).model_dump(include=set(kind.of_target))
