"""The report on a comparison, as Markdown and for a terminal: results, costs, equal budgets, what the figures mean."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.compare.advice import advise
from pipeline.compare.comparison import Budget, Compared, Outcome, TargetOutcome
from pipeline.compare.layout import Table, count, describe_margin, describe_metric, points, show_value
from pipeline.compare.statistics import LEVEL

if TYPE_CHECKING:
    import rich.console

FILE_NAME = "comparison.md"

_WRAPPED = (("difference",), ("difference",))  # the words are text, and long


def list_tables(outcome: Outcome) -> list[Table]:
    """Returns the tables of a comparison: for each target results, costs and equal budgets, then the mean."""
    tables = [table for found in outcome.targets.values() for table in _list_target(outcome, found)]
    if outcome.mean:
        rows = tuple((name, str(compared)) for name, compared in outcome.mean.items())
        tables.append(Table(f"mean over {len(outcome.targets)} targets", ("arm", "difference"), rows, *_WRAPPED))
    return tables


def list_caveats(outcome: Outcome) -> list[str]:
    """Returns what a reader has to know about the figures, a sentence or two each."""
    caveats = [
        f"± and [ ] are {100 * LEVEL:.0f}% intervals: ± of other seeds on the same images, [ ] of other seeds "
        "and other test images.",
        f"The differences are those of this {'' if outcome.varied_classifier else 'source classifier, this '}"
        "train split and these targets. How much others would change them, no interval says.",
        f"A verdict is adjusted for the number of arms in its table (Holm). 'equal' means that all of the interval is "
        f"less than {describe_margin(outcome.equivalence)} from 0.",
    ]
    arms = [arm for found in outcome.targets.values() for arm in found.arms.values()]
    if any(len(arm.rates) > 1 for arm in arms):
        caveats.append("The learning rate of each arm is the best on eval in the mean over seeds; test only reports.")
    caveats.append(
        "Images are those of pre-training, repeats included. Seconds are those of one pre-training and of the "
        "fine-tunings with all learning rates, in the mean over seeds."
    )
    if any(arm.classifier_images for arm in arms):
        caveats.append(
            "'In all' counts the classifier, in full for each arm that needs it: for P_t, or to start from. It is "
            f"trained once{' a seed' if outcome.varied_classifier else ''} for all of them."
        )
    if any(arm.start == "published" for arm in arms):
        caveats.append("What a published network was trained on is in no column: whoever uses it has not paid for it.")
    return [*caveats, *outcome.notes]


def to_markdown(outcome: Outcome, pushed: Mapping[str, str] | None = None) -> str:
    """Returns the report in Markdown.

    Args:
      outcome: the comparison.
      pushed: target → the arm that is configured to be pushed.
    """
    shots = "" if outcome.shots is None else f", with {outcome.shots} images a class"
    parts = [f"# Comparison of arms by {describe_metric(outcome.metric)}{shots}\n"]
    for target in outcome.targets:
        parts.append(f"{target}: {' '.join(advise(outcome, target, (pushed or {}).get(target)))}\n")
    parts += [table.to_markdown() for table in list_tables(outcome)]
    if missing := _describe_missing_budgets(outcome):
        parts.append(f"{missing}\n")
    parts.append("## What the figures mean\n")
    parts.append("".join(f"- {caveat}\n" for caveat in list_caveats(outcome)))
    return "\n".join(parts)


def show(console: "rich.console.Console", outcome: Outcome, pushed: Mapping[str, str] | None = None) -> None:
    """Prints the report; the arguments are those of `to_markdown`."""
    for table in list_tables(outcome):
        console.print(table.to_rich())
    if missing := _describe_missing_budgets(outcome):
        console.print(missing, markup=False, highlight=False)
    for caveat in list_caveats(outcome):
        style = "yellow" if caveat in outcome.notes else "dim"
        console.print(f"- {caveat}", style=style, markup=False, highlight=False)
    for target in outcome.targets:
        sentences = " ".join(advise(outcome, target, (pushed or {}).get(target)))
        console.print(f"\n{target}: {sentences}", markup=False, highlight=False)


def _list_target(outcome: Outcome, found: TargetOutcome) -> Iterator[Table]:
    metric = describe_metric(outcome.metric)
    yield Table(
        f"{found.target}: {found.split} {metric} in %",
        ("arm", "seeds", metric, "difference"),
        tuple(
            (
                name,
                str(len(arm.seeds)),
                show_value(arm.value, arm.half_width),
                _describe_difference(outcome, found, name),
            )
            for name, arm in found.arms.items()
        ),
        *_WRAPPED,
    )
    yield Table(
        f"{found.target}: what it costs",
        ("arm", "images", "images in all", "seconds", "seconds in all", "points"),
        tuple(
            (
                name,
                count(arm.images),
                count(arm.total_images),
                count(arm.seconds),
                count(arm.total_seconds),
                _subtract(outcome, found, name),
            )
            for name, arm in found.arms.items()
        ),
    )
    for budget in found.budgets:
        yield _make_budget_table(found, budget, metric)


def _make_budget_table(found: TargetOutcome, budget: Budget, metric: str) -> Table:
    what = (
        f"{count(budget.amount)} steps of pre-training each"
        if budget.kind == "steps"
        else f"about {count(budget.amount)} images in all each, with the classifier's"
    )

    def describe(name: str) -> str:
        return "reference" if name == budget.reference else _describe_compared(budget.compared, name)

    return Table(
        f"{found.target}: at an equal budget, {what}",
        ("arm", metric, "difference"),
        tuple(
            (name, show_value(found.arms[name].value, found.arms[name].half_width), describe(name))
            for name in budget.arms
        ),
        *_WRAPPED,
    )


def _describe_missing_budgets(outcome: Outcome) -> str:
    """Returns which targets have no comparison at an equal total budget, and how to get one; "" if all have one."""
    missing = [
        target
        for target, found in outcome.targets.items()
        if any(arm.classifier_images for arm in found.arms.values())
        and not any(_has_whole_source(found, budget) for budget in found.budgets if budget.kind == "total images")
    ]
    if not missing:
        return ""
    return (
        f"{', '.join(missing)}: an arm of the whole source with as many images in all as an arm with the classifier is "
        "not at hand: run `specialist compare … --arms …,entire_source_total`"
    )


def _has_whole_source(found: TargetOutcome, budget: Budget) -> bool:
    arms = [found.arms[name] for name in budget.arms]
    return any(arm.is_whole_source for arm in arms) and not all(arm.is_whole_source for arm in arms)


def _describe_difference(outcome: Outcome, found: TargetOutcome, name: str) -> str:
    return "reference" if name == outcome.reference else _describe_compared(found.compared, name)


def _describe_compared(compared: Mapping[str, Compared], name: str) -> str:
    return str(compared[name]) if name in compared else "not compared"


def _subtract(outcome: Outcome, found: TargetOutcome, name: str) -> str:
    if name == outcome.reference or outcome.reference not in found.arms:
        return ""
    if name in found.compared:
        difference = found.compared[name].comparison.difference
    else:
        difference = found.arms[name].value - found.arms[outcome.reference].value
    return points(difference)
