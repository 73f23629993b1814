"""What the report says of a target: the verdict, how sure it is, and what it costs. Pure."""

import dataclasses
from typing import Literal

from components.transfer_report import words
from components.transfer_report.block import Arm, Block, Target


@dataclasses.dataclass(frozen=True)
class Headline:
    """The verdict on a target, as one line.

    Attributes:
      arm: the name of the best arm; "" without a result.
      claim: what it does, such as 'wins'.
      value: its accuracy, as text.
      rest: what follows the value.
      tone: 'sure' if the figures tell, 'unsure' if they cannot, 'none' without a result.
    """

    arm: str
    claim: str
    value: str
    rest: str
    tone: Literal["sure", "unsure", "none"]


def find_arm(target: Target, name: str | None) -> Arm | None:
    """Returns the arm of that name, if it has a result."""
    return next((arm for arm in target.arms if arm.name == name and arm.mean is not None), None)


def find_reference(target: Target) -> Arm | None:
    """Returns the arm that the others are compared with, if it has a result."""
    return next((arm for arm in target.arms if arm.reference and arm.mean is not None), None)


def subtract(arm: Arm, reference: Arm | None) -> float | None:
    """Returns the difference to the reference: as compared, else of the means."""
    if arm.difference is not None:
        return arm.difference
    if reference is None or arm.mean is None or reference.mean is None or arm.name == reference.name:
        return None
    return arm.mean - reference.mean


def find_other(target: Target) -> Arm | None:
    """Returns the arm that the best one is told apart from: the reference, or the next best where that is the best."""
    best, reference = find_arm(target, target.verdict.arm), find_reference(target)
    if best is None or reference is None or not best.reference:
        return reference
    others = [arm for arm in target.arms if arm.mean is not None and arm.name != best.name]

    def rank(arm: Arm) -> float:
        return next(value for value in (arm.eval_mean, arm.mean) if value is not None)

    return max(others, key=rank, default=None)


def make_headline(target: Target) -> Headline:
    """Returns the verdict on a target as one line, with its numbers."""
    best, other = find_arm(target, target.verdict.arm), find_other(target)
    if best is None or best.mean is None:
        return Headline("", f"No arm of {target.name} has a result.", "", "", "none")
    value = words.percent(best.mean)
    where = f"{words.name_metric(target.metric)} on {target.split}"
    if other is None or other is best:
        return Headline(best.name, "has", value, f"{where}. Nothing is at hand to compare it with.", "unsure")
    # The reference is compared by the other arm's difference, turned round.
    difference = subtract(other, best) if best.reference else subtract(best, other)
    verdict = other.verdict if best.reference else best.verdict
    turned = -(difference or 0.0) if best.reference else difference or 0.0
    kind = {"better": "worse", "worse": "better"}.get(verdict, verdict) if best.reference else verdict
    size = f"{100 * abs(turned):.1f} points {'more' if turned >= 0 else 'less'} than {other.name}"
    if round(100 * abs(turned), 1) == 0:
        size = f"the same as {other.name}"
    claims: dict[str, tuple[str, Literal["sure", "unsure"]]] = {
        "better": ("wins:", "sure"),
        "worse": ("leads on eval, yet not here:", "sure"),
        "equal": (f"is as good as {other.name}:", "sure"),
    }
    claim, tone = claims.get(kind, ("leads, but that may be chance:", "unsure"))
    return Headline(best.name, claim, value, f"{where}, {size}.", tone)


def explain_certainty(block: Block, target: Target) -> list[str]:
    """Returns sentences on how sure the verdict is."""
    best, other = find_arm(target, target.verdict.arm), find_other(target)
    if best is None:
        return ["There is nothing to be sure of."]
    compared = other if best.reference and other is not None else best
    images = target.images.get(target.split)
    basis = words.plural(len(best.seeds), "seed") + (
        f" and {words.plural(images, f'{target.split} image')}" if images else ""
    )
    if compared.difference_low is None or compared.difference_high is None:
        if other is None or other is best:
            return [f"One arm is no comparison ({basis})."]
        sentence = "How much other seeds would change the difference is not known"
        return [f"{sentence}: {basis}.", *([_end(compared.in_words)] if compared.in_words else [])]
    low, high = compared.difference_low, compared.difference_high
    if best.reference:
        low, high = -high, -low
    name = other.name if other is not None else ""
    sentences = [
        f"{block.level:.0%} interval of the difference to {name}: {words.interval(low, high)} points, from {basis}."
    ]
    if compared.verdict:
        meaning = {
            "better": "The interval lies on one side of 0: this is not chance.",
            "worse": "The interval lies on one side of 0: this is not chance.",
            "equal": "All of the interval is so close to 0 that the difference does not matter.",
            "cannot tell": "The interval does not tell the two apart.",
        }
        sentences.append(meaning[compared.verdict])
    if compared.verdict == "cannot tell" and compared.in_words:
        sentences.append(_end(compared.in_words))
    return sentences


def explain_cost(target: Target) -> list[str]:
    """Returns sentences on what the best arm costs, and what that is of the reference's cost."""
    best, reference = find_arm(target, target.verdict.arm), find_reference(target)
    if best is None or best.total_images is None:
        return ["What it costs is not known."]
    if not best.total_images:
        return ["It is not pre-trained, so its pre-training costs nothing."]
    sentences = [f"{words.count(best.total_images)} images in pre-training{_describe_classifier(best)}."]
    if best.total_seconds is not None:
        sentences.append(f"{words.duration(best.total_seconds)} of training in all.")
    if reference is not None and reference is not best and reference.total_images:
        ratio = best.total_images / reference.total_images
        sentences.append(f"That is {ratio:.1f} times the images of {reference.name}.")
    return sentences


def _describe_classifier(arm: Arm) -> str:
    if arm.images is None or arm.total_images == arm.images:
        return ""
    return f", {words.count((arm.total_images or 0) - arm.images)} of them for the source classifier"


def _end(line: str) -> str:
    return line if line.endswith(".") else f"{line}."
