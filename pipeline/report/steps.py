"""What to do next with a target's result, with the commands and what they cost. Pure."""

from collections.abc import Sequence

import numpy as np

from components.transfer_report import block, grounds
from pipeline.compare.arms import Arm
from pipeline.compare.comparison import Outcome, TargetOutcome
from pipeline.config.arms import ENTIRE_SOURCE
from pipeline.config.run import Config

# Arms that spend on the source what an arm with a source classifier spends in all.
_EQUAL_BUDGETS = (f"{ENTIRE_SOURCE}_total", "source_classifier")


def suggest_steps(
    config: Config, target: str, outcome: Outcome | None, *, kind: str, served: str | None, missing: bool
) -> list[block.Step]:
    """Returns what to do next in the order of use: at most four steps.

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
        text = "Mend the cause of what is missing, and run the same again: what is finished is reused."
        steps.append(block.Step(text, f"specialist {again} CONFIG"))
    if not config.near_duplicates.enabled and config.counts is None:
        text = (
            "Source and target images were not compared. Set `near_duplicates.enabled: true` in the configuration, "
            "and run it again: source images that resemble the target's are then excluded."
        )
        steps.append(block.Step(text, f"specialist {'run' if kind == 'run' else 'compare'} CONFIG"))
    if found is not None and outcome is not None:
        steps += _suggest_comparison(config, target, outcome, found, kind)
    if kind == "comparison" and found is not None and config.targets[target].push != found.best:
        text = f"Set `targets.{target}.push: {found.best}` in the configuration, and run it: its model is pushed."
        steps.append(block.Step(text, "specialist run CONFIG"))
    if served:
        steps.append(block.Step("Try the model on an image of yours.", f"specialist predict {served} IMAGE.png"))
    return steps


def list_equal_budgets(config: Config, found: TargetOutcome, reference: str) -> list[str]:
    """Returns the arms that would settle whether a difference comes from the budget, and that have no result.

    Args:
      config: the configuration.
      found: the results of a target.
      reference: the arm that the others are compared with.
    """
    if config.trained_classifier is None or reference not in found.arms:
        return []
    best = found.arms[found.best]
    others = [arm for name, arm in found.arms.items() if name != best.name]
    other = found.arms[reference] if best.name != reference else max(others, key=_eval_of, default=best)
    if not grounds.differs_in_budget(best.total_images, other.total_images):
        return []
    if not any(config.arm(arm.name).needs_classifier() for arm in (best, other)):
        return []
    return [name for name in _EQUAL_BUDGETS if name not in found.arms]


def estimate_seconds(config: Config, found: TargetOutcome, names: Sequence[str], seeds: int) -> float | None:
    """Returns about how long a comparison trains for, by how long the trainings of a result took.

    What is finished already is counted, too.

    Args:
      config: the configuration.
      found: the results of a target.
      names: the arms that are compared on this target.
      seeds: how many.

    Returns:
      seconds; None: it is not known how long the trainings that it would repeat took.
    """
    results = [result for arm in found.arms.values() for result in arm.results]
    finetuning = [result.finetune_seconds for result in results if result.finetune_seconds]
    rates = [
        (result.seconds - result.finetune_seconds) / result.images
        for result in results
        if result.images and result.seconds > result.finetune_seconds > 0
    ]
    classifier = [result.classifier_seconds for result in results if result.classifier_seconds]
    recipes = [config.pretrain_of(name) for name in names]
    images = sum(recipe.steps * recipe.batch_size for recipe in recipes if recipe is not None)
    trained = config.trained_classifier is not None and any(config.arm(name).needs_classifier() for name in names)
    if not finetuning or (images and not rates) or (trained and not classifier):
        return None
    settings = config.compare
    repeated = (1 + len(settings.shots)) * max(1, len(settings.learning_rates))
    total = seeds * len(names) * repeated * float(np.mean(finetuning))
    if images:
        total += seeds * images * float(np.mean(rates))
    if trained:
        total += (seeds if "classifier" in settings.vary else 1) * float(np.mean(classifier))
    return total


def _suggest_comparison(
    config: Config, target: str, outcome: Outcome, found: TargetOutcome, kind: str
) -> list[block.Step]:
    """Returns the comparison that would tell more than the results do; none if they tell."""
    judged = found.compared.get(found.best)
    more = judged.verdict.more_seeds if judged is not None else None
    wanted = list_equal_budgets(config, found, outcome.reference)
    if len(found.arms) < 2 or not (kind == "run" or more or wanted):
        return []
    seeds = config.compare.seeds
    if kind == "comparison":
        seeds = max(len(arm.seeds) for arm in found.arms.values()) + (more or 0)
    sentences = []
    if kind == "run":
        sentences.append(f"Train each arm with {seeds} seeds, to see whether the difference is more than chance.")
    elif more:
        sentences.append(f"Train with {more} more seeds: about so many would tell.")
    names = [*found.arms, *wanted]
    command = "specialist compare CONFIG"
    if wanted:
        also = "it shows" if len(wanted) == 1 else "they show"
        sentences.append(
            f"{'Add' if not sentences else 'Add with them'} {' and '.join(f'`{name}`' for name in wanted)}: {also} "
            "what the same budget gives without a sample for the target."
        )
        if len(config.targets) > 1:
            command += f" --targets {target}"
        command += f" --arms {','.join(names)}"
    elif kind == "run":
        names = list(config.targets[target].arms)
    command += f" --seeds {seeds}"
    only = wanted or len(config.targets) == 1
    seconds = estimate_seconds(config, found, names, seeds) if only else None
    return [block.Step(" ".join(sentences), command, seconds)]


def _eval_of(arm: Arm) -> float:
    return arm.eval_value
