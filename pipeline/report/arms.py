"""The arms of a target with their results, and what follows from them. Pure."""

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.transfer_report import block
from pipeline.compare.arms import Arm, find_half_width
from pipeline.compare.comparison import Compared, Outcome
from pipeline.config.arms import DESCRIPTIONS, ENTIRE_SOURCE
from pipeline.config.run import Config
from pipeline.report.paired import Paired

_STARTS = {"classifier": "the source classifier", "published": "published weights"}


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of a target's arms besides their results.

    Attributes:
      source: the source data; None: they were not read.
      samples: arm → its sample.
      paired: arm → how its model compares with the reference's, image by image.
    """

    source: block.Source | None = None
    samples: Mapping[str, block.Achieved] = dataclasses.field(default_factory=dict)
    paired: Mapping[str, Paired] = dataclasses.field(default_factory=dict)


def describe_arms(
    config: Config, target: str, names: Sequence[str], outcome: Outcome | None, known: Known
) -> list[block.Arm]:
    """Returns the arms of a target, each with its results; one without a result has no values.

    Args:
      config: the configuration.
      target: its name.
      names: of the arms, in their order.
      outcome: the comparison; None: no arm has a result.
      known: what else is known of them.
    """
    found = outcome.targets.get(target) if outcome else None
    described = []
    for name in names:
        facts: dict[str, Any] = {"description": describe_arm(config, name), **_find_pool(config, name, known)}
        if outcome is not None and found is not None and name in found.arms:
            facts |= {"reference": name == outcome.reference}
            facts |= _describe_result(config, found.arms[name], found.compared.get(name))
            facts |= _describe_paired(known.paired.get(name))
        described.append(block.Arm(name, **facts))
    return described


def describe_means(outcome: Outcome | None) -> list[block.Difference]:
    """Returns the arms against the reference in the mean over the targets."""
    return [
        block.Difference(
            name,
            compared.comparison.difference,
            compared.comparison.low,
            compared.comparison.high,
            compared.verdict.kind,
            str(compared),
        )
        for name, compared in (outcome.mean if outcome else {}).items()
    ]


def describe_arm(config: Config, name: str) -> str:
    """Returns what an arm is pre-trained on, in words."""
    if name in DESCRIPTIONS:
        return DESCRIPTIONS[name]
    arm = config.arm(name)
    drawn = DESCRIPTIONS.get(arm.matcher or ENTIRE_SOURCE, "")
    if arm.steps == 0:
        drawn = "Not pre-trained."
    elif not drawn and arm.kind is not None:  # a matcher of a user's own
        drawn = (inspect.getdoc(arm.kind) or "").partition("\n")[0]
    start = f" It starts from {_STARTS[arm.start]}." if arm.start in _STARTS else ""
    steps = "" if not arm.steps else f" Steps: {arm.steps}."
    return f"{drawn}{start}{steps}"


def describe_criterion(
    config: Config, target: str, outcome: Outcome | None, passed: bool | None
) -> block.Criterion | None:
    """Returns what the model of the arm that is set to be pushed has to reach; None: none is set.

    Args:
      config: the configuration.
      target: its name.
      outcome: the comparison, with what the arm reached by metrics that all results have; None: no arm has a result.
      passed: whether it is good enough; None: that is not known.
    """
    settings = config.targets[target]
    if settings.push is None:
        return None
    found = outcome.targets.get(target) if outcome else None
    arm = found.arms.get(settings.push) if found else None
    metric = settings.evaluation.metric
    value = arm.results[0].metrics.get(("eval", metric)) if arm is not None else None
    return block.Criterion(metric, settings.evaluation.minimum, value, passed)


def find_facts(config: Config, target: str, arm: str | None) -> Mapping[str, str]:
    """Returns name → value of what the card says of a model.

    Args:
      arm: its arm; None: no arm has a result.
    """
    channels = {1: "grey", 3: "RGB"}.get(config.image.channels, f"{config.image.channels} channels")
    facts = {
        "Backbone": config.backbone.label,
        "Input": f"{config.image.size} × {config.image.size} pixels, {channels}",
        "Fine-tuning": f"{config.finetune.steps:,} steps of {config.finetune.batch_size:,} images",
    }
    if arm is None:
        return facts
    if config.arm(arm).transfer != "finetune":
        facts["Fine-tuning"] = f"none: {config.arm(arm).transfer.replace('_', ' ')} on frozen features"
    recipe = config.pretrain_of(arm)
    if recipe is None:
        facts["Pre-training"] = "none of its own"
    else:
        drawn = config.arm(arm).kind
        size = f", on a sample of {config.sample_size(arm):,}" if drawn is not None and not drawn.takes_all else ""
        facts["Pre-training"] = f"{recipe.steps:,} steps of {recipe.batch_size:,} images{size}"
    if config.arm(arm).needs_classifier():
        trained = config.trained_classifier
        facts["Source classifier"] = (
            "one that existed already"
            if trained is None
            else f"{trained.steps:,} steps of {trained.batch_size:,} images"
        )
    return facts


def _find_pool(config: Config, name: str, known: Known) -> dict[str, Any]:
    """Returns the images that an arm's pre-training could draw from, as fields of `block.Arm`."""
    kind = config.arm(name).kind
    if config.pretrain_of(name) is None:
        return {}
    if kind is not None and not kind.takes_all:
        sample = known.samples.get(name)
        size = sample.examples if sample is not None else None
        return {"pool": config.sample_size(name) if size is None else size, "pool_kind": "sample"}
    images = known.source.images.get("train") if known.source else None
    without = 0 if known.source is None else known.source.excluded.get("train", 0)
    return {"pool": None if images is None else images - without, "pool_kind": "source"}


def _describe_paired(paired: Paired | None) -> dict[str, Any]:
    if paired is None:
        return {}
    return {"gained": paired.gained, "lost": paired.lost, "images_low": paired.low, "images_high": paired.high}


def _describe_result(config: Config, arm: Arm, compared: Compared | None) -> dict[str, Any]:
    """Returns the results of an arm, as fields of `block.Arm`."""
    half_width = find_half_width(arm.values)
    known = math.isfinite(half_width)
    difference: dict[str, Any] = {}
    if compared is not None:
        difference = {
            "difference": compared.comparison.difference,
            "difference_low": compared.comparison.low,
            "difference_high": compared.comparison.high,
            "verdict": compared.verdict.kind,
            "in_words": str(compared),
        }
    # No training takes no time: 0 stands for what is not known.
    own = None if arm.seconds == 0 else arm.seconds
    lacks = config.arm(arm.name).needs_classifier() and config.trained_classifier and arm.classifier_seconds == 0
    return {
        "seeds": arm.seeds,
        "values": arm.values,
        "mean": arm.value,
        # No accuracy is below 0 or above 1, wherever the interval of few seeds ends.
        "low": max(0.0, arm.value - half_width) if known else None,
        "high": min(1.0, arm.value + half_width) if known else None,
        "eval_mean": arm.eval_value,
        "images": round(arm.images),
        "total_images": round(arm.total_images),
        "seconds": own,
        "total_seconds": None if own is None or lacks else arm.total_seconds,
        **difference,
    }
