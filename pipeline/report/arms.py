"""The arms of a target with their results, and what follows from them. Pure."""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.transfer_report import block
from pipeline.compare.arms import Arm, find_half_width
from pipeline.compare.comparison import Compared, Outcome
from pipeline.config.arms import DESCRIPTIONS, PRESETS
from pipeline.config.run import Config


def describe_arms(config: Config, target: str, names: Sequence[str], outcome: Outcome | None) -> list[block.Arm]:
    """Returns the arms of a target, each with its results; one without a result has no values.

    Args:
      config: the configuration.
      target: its name.
      names: of the arms, in their order.
      outcome: the comparison; None: no arm has a result.
    """
    found = outcome.targets.get(target) if outcome else None
    if outcome is None or found is None:
        return [block.Arm(name, describe_arm(config, name)) for name in names]
    return [
        _describe_result(config, found.arms[name], found.compared.get(name), is_reference=name == outcome.reference)
        if name in found.arms
        else block.Arm(name, describe_arm(config, name))
        for name in names
    ]


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
    drawn = "All examples of the source."
    if arm.kind is not None:
        drawn = (inspect.getdoc(arm.kind) or "").partition("\n")[0]
    if name in PRESETS:
        return drawn
    starts = {"classifier": "the source classifier", "published": "published weights"}
    start = f" The pre-training starts from {starts[arm.start]}." if arm.start in starts else ""
    steps = "" if arm.steps is None else f" Steps: {arm.steps}."
    return f"{drawn}{start}{steps}"


def suggest_steps(
    config: Config, target: str, outcome: Outcome | None, *, kind: str, served: str | None, missing: bool
) -> list[str]:
    """Returns what to do next, each a sentence, the most useful first.

    Args:
      config: the configuration.
      target: its name.
      outcome: the comparison; None: no arm has a result.
      kind: 'run' or 'comparison'.
      served: the folder of the version that is served, if it is this model.
      missing: whether a part of the target failed.
    """
    found = outcome.targets.get(target) if outcome else None
    steps = []
    if missing:
        again = "run" if kind == "run" else "compare"
        steps.append(f"Run the same `specialist {again}` again when the cause is mended: what is finished is reused.")
    if kind == "run" and found is not None:
        steps.append(
            "Run `specialist compare CONFIG`, which repeats each arm with several seeds, to tell chance apart."
        )
    if kind == "comparison" and found is not None and outcome is not None:
        pushed = config.targets[target].push
        if pushed != found.best:
            steps.append(
                f"Set `targets.{target}.push` to `{found.best}`, and run `specialist run CONFIG`: it pushes the model."
            )
        judged = found.compared.get(found.best)
        if judged is not None and judged.verdict.more_seeds:
            seeds = max(len(arm.seeds) for arm in found.arms.values()) + judged.verdict.more_seeds
            steps.append(f"Go on with more seeds: `specialist compare CONFIG --seeds {seeds}`.")
    if served:
        steps.append(f"Try the model: `specialist predict {served} IMAGE.png`.")
    return steps


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


def _describe_result(config: Config, arm: Arm, compared: Compared | None, *, is_reference: bool) -> block.Arm:
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
    return block.Arm(
        arm.name,
        describe_arm(config, arm.name),
        reference=is_reference,
        seeds=arm.seeds,
        values=arm.values,
        mean=arm.value,
        low=arm.value - half_width if known else None,
        high=arm.value + half_width if known else None,
        eval_mean=arm.eval_value,
        images=round(arm.images),
        total_images=round(arm.total_images),
        seconds=arm.seconds,
        total_seconds=arm.total_seconds,
        **difference,
    )
