"""What to do next. Pure."""

from components.transfer_report import block
from pipeline.compare.arms import Arm
from pipeline.compare.comparison import Outcome, TargetOutcome
from pipeline.config.run import Config

_TOTAL, _CLASSIFIER = "entire_source_total", "source_classifier"  # presets that have a classifier's budget, too


def suggest_steps(
    config: Config,
    target: str,
    outcome: Outcome | None,
    *,
    kind: str,
    served: str | None,
    missing: bool,
    duplicates: bool = True,
) -> list[block.Step]:
    """Returns what to do next, the most useful first.

    Args:
      config: the configuration.
      target: its name.
      outcome: the comparison; None: no arm has a result.
      kind: 'run' or 'comparison'.
      served: the folder of the version that is served, if it is this model.
      missing: whether a part of the target failed.
      duplicates: whether near-duplicates were looked for.
    """
    found = outcome.targets.get(target) if outcome else None
    steps = []
    if missing:
        again = "run" if kind == "run" else "compare"
        text = "Mend the cause of what is missing, and run the same again: what is finished is reused."
        steps.append(block.Step(text, f"specialist {again} CONFIG"))
    if found is not None and outcome is not None:
        steps += _compare_more(config, found) if kind == "run" else _act_on(config, target, found)
    if found is not None and not duplicates:
        text = "Find the images that are in both source and target: what was trained on cannot test."
        again = "run" if kind == "run" else "compare"
        steps.append(block.Step(text, f"specialist {again} CONFIG --set near_duplicates.enabled=true"))
    if served:
        steps.append(block.Step("Try the model on an image of yours.", f"specialist predict {served} IMAGE.png"))
    return steps


def _act_on(config: Config, target: str, found: TargetOutcome) -> list[block.Step]:
    """Returns what follows from a comparison."""
    steps = []
    if config.targets[target].push != found.best:
        text = f"Set `targets.{target}.push: {found.best}` in the configuration, and run it: its model is pushed."
        steps.append(block.Step(text, "specialist run CONFIG"))
    judged = found.compared.get(found.best)
    if judged is not None and judged.verdict.more_seeds:
        seeds = max(len(arm.seeds) for arm in found.arms.values()) + judged.verdict.more_seeds
        text = f"Train with {judged.verdict.more_seeds} more seeds: about so many would tell."
        steps.append(block.Step(text, f"specialist compare CONFIG --seeds {seeds}"))
    return steps


def _compare_more(config: Config, found: TargetOutcome) -> list[block.Step]:
    """Returns the comparison that a run of one seed asks for, with the arms that have as large a budget."""
    if len(found.arms) < 2:
        return []
    seeds = config.compare.seeds
    budgets = [] if config.trained_classifier is None else [_TOTAL, _CLASSIFIER]
    needs = any(config.arm(name).needs_classifier() for name in found.arms)
    more = [name for name in budgets if needs and name not in found.arms]
    text = f"Train each arm with {seeds} seeds, to see whether the difference is more than chance"
    command = f"specialist compare CONFIG --seeds {seeds}"
    if more:
        names = " and ".join(f"`{name}`" for name in more)
        text += f", and {names}, which train on as much as the classifier"
        command += f" --arms {','.join([*found.arms, *more])}"
    elif minutes := _estimate_minutes(config, list(found.arms.values()), seeds):
        text += f"; by the times of this run that is about {minutes:,} minutes of training"
    return [block.Step(f"{text}.", command)]


def _estimate_minutes(config: Config, arms: list[Arm], seeds: int) -> int:
    """Returns how long a comparison trains, by what the trainings of this run took; 0 if that is not known."""
    own = sum(arm.seconds or 0.0 for arm in arms)
    classifier = max(((arm.total_seconds or 0.0) - (arm.seconds or 0.0) for arm in arms), default=0.0)
    times = seeds if "classifier" in config.compare.vary else 1
    return round((seeds * own + times * classifier) / 60)
