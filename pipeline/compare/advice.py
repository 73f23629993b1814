"""What to do after a comparison: which arm to push, what it could cost, and whether to run more seeds. Pure."""

from collections.abc import Sequence

from pipeline.compare.arms import Arm
from pipeline.compare.comparison import Outcome, TargetOutcome, compare_arms
from pipeline.compare.layout import count, describe_margin, percent, points
from pipeline.compare.rows import Result


def advise(outcome: Outcome, target: str, pushed: str | None = None) -> list[str]:
    """Returns one to three sentences on a target.

    The arm is chosen on eval, and test only reports: what is chosen on test is worth less than it seems there.

    Args:
      outcome: the comparison.
      target: one of its targets.
      pushed: the arm that is configured to be pushed, if any.
    """
    found = outcome.targets[target]
    best = found.arms[found.best]
    if len(found.arms) == 1:
        return [
            f"{best.name} is the only arm, and whether it helps is not known: compare it with entire_source and "
            "random_init."
        ]
    sentences = [_advise_push(found, best, pushed), _report(outcome, found, best)]
    if cheaper := _describe_cheaper(outcome, found, best):
        sentences.append(cheaper)
    return sentences


def advise_run(results: Sequence[Result], pushed: str | None = None, metric: str = "accuracy") -> dict[str, list[str]]:
    """Returns target → what `advise` says at the end of a run, from its rows alone.

    A run has one seed, and no predictions are compared: the sentences say what cannot be told.

    Raises:
      ValueError: as `compare_arms`.
    """
    names = [result.cell.arm for result in results]
    reference = "entire_source" if "entire_source" in names else next(iter(names), "")
    outcome = compare_arms(results, None, reference, metric=metric)
    return {target: advise(outcome, target, pushed) for target in outcome.targets}


def _advise_push(found: TargetOutcome, best: Arm, pushed: str | None) -> str:
    """Returns the sentence on which arm to push: nothing is to be done where it is the configured one."""
    value = percent(best.eval_value)
    if pushed == best.name:
        return f"{best.name}, which is set to be pushed, is the best on eval ({value}%)."
    if pushed and pushed in found.arms:
        other = percent(found.arms[pushed].eval_value)
        return f"Push {best.name}: it is the best on eval ({value}%); {pushed}, which is set, has {other}%."
    return f"Push {best.name}: it is the best on eval ({value}%)."


def _report(outcome: Outcome, found: TargetOutcome, best: Arm) -> str:
    """Returns the sentence on the reported split, and on whether more seeds are needed."""
    value = f"On {found.split} it has {percent(best.value)}%, "
    # The reference has no difference to itself; how the next arm compares tells as much.
    other = best if best.name != outcome.reference else _find_second(found)
    subject = "" if other is best else f"and {other.name}, which comes next on eval, "
    if other.name in found.compared:
        judged = found.compared[other.name]
        enough = judged.verdict.kind != "cannot tell"
        return f"{value}{subject}{judged}{', and no more seeds are needed' if enough else ''}."
    if outcome.reference not in found.arms:
        return f"{value}and there is no result of {outcome.reference} to compare it with."
    if found.compared:
        return f"{value}and {other.name} and {outcome.reference} have no seed in common."
    difference = points(other.value - found.arms[outcome.reference].value)
    return (
        f"{value}{subject}{difference} points over {outcome.reference}: one seed cannot tell whether that is "
        "chance, several can: `specialist compare`."
    )


def _find_second(found: TargetOutcome) -> Arm:
    others = [arm for arm in found.arms.values() if arm.name != found.best]
    return max(others, key=lambda arm: (arm.eval_value, -arm.total_images))


def _describe_cheaper(outcome: Outcome, found: TargetOutcome, best: Arm) -> str:
    cheaper = [arm for arm in found.arms.values() if arm.total_images < best.total_images]
    equal = [arm for arm in cheaper if arm.name in found.cheaper and found.cheaper[arm.name].verdict.kind == "equal"]
    if equal:
        cheapest = min(equal, key=lambda arm: (arm.total_images, -arm.eval_value))
        return (
            f"{cheapest.name} is as good, to {describe_margin(outcome.equivalence)}, and was pre-trained on "
            f"{count(cheapest.total_images)} images in all instead of {count(best.total_images)}."
        )
    if cheaper and not any(compared.comparison.is_known for compared in found.cheaper.values()):
        what = f"{cheaper[0].name}," if len(cheaper) == 1 else f"one of the {len(cheaper)} arms"
        return f"Whether {what} with fewer images in all{',' if len(cheaper) == 1 else ''} is as good cannot be told."
    return ""
