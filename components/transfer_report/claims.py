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


def _has_others(target: Target) -> bool:
    return sum(arm.mean is not None for arm in target.arms) > 1


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
        nothing = (
            "The arm to compare with has no result." if _has_others(target) else "Nothing is there to compare with."
        )
        return Headline(best.name, "has", value, f"{where}. {nothing}", "unsure")
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
    leads = "leads" if turned >= 0 else "leads on eval and not here"
    claim, tone = claims.get(kind, (f"{leads}, but that may be chance:", "unsure"))
    return Headline(best.name, claim, value, f"{where}, {size}.", tone)


def explain_certainty(block: Block, target: Target) -> list[str]:
    """Returns sentences on how sure the verdict is."""
    best, other = find_arm(target, target.verdict.arm), find_other(target)
    if best is None:
        return ["There is nothing to be sure of."]
    compared = other if best.reference and other is not None else best
    images = target.images.get(target.split)
    repeated = " (repetitions with other random numbers)" if len(best.seeds) > 1 else ""
    basis = f"{words.plural(len(best.seeds), 'seed')}{repeated}" + (
        f" and {words.plural(images, f'{target.split} image')}" if images else ""
    )
    if compared.difference_low is None or compared.difference_high is None:
        if other is None or other is best:
            if _has_others(target):
                return [f"The arm that the others are compared with has no result ({basis})."]
            return [f"One arm is no comparison ({basis})."]
        seeds = (
            "All random numbers start from the seed, and another one gives a somewhat different model: how different, "
            "one seed does not show, so that this may be chance."
        )
        return [*explain_images(block, target), *([seeds] if compared.gained is not None else [])]
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
        if low > 0 or high < 0:  # by the p that is adjusted
            meaning["cannot tell"] = (
                "The interval lies on one side of 0, but among so many arms one may do so by chance: this does not "
                "tell the two apart."
            )
        sentences.append(meaning[compared.verdict])
    if compared.verdict == "cannot tell" and compared.in_words:
        subject = f"{compared.name}: " if best.reference else ""
        sentences.append(_end(f"{subject}{compared.in_words}"))
    return sentences


def explain_images(block: Block, target: Target) -> list[str]:
    """Returns sentences on what the images of the reported split alone say of the best arm, where seeds say nothing."""
    best, other = find_arm(target, target.verdict.arm), find_other(target)
    if best is None or other is None or other is best:
        return []
    compared, turned = (other, True) if best.reference else (best, False)
    gained, lost, low, high = compared.gained, compared.lost, compared.images_low, compared.images_high
    number = target.images.get(target.split)
    if gained is None or lost is None or low is None or high is None:
        seeds = words.plural(len(best.seeds), "seed")
        images = f" and {words.plural(number, f'{target.split} image')}" if number else ""
        if not set(best.seeds) & set(other.seeds):
            return [f"There is no interval: {best.name} and {other.name} have no seed in common."]
        return [
            f"There is no interval for {seeds}{images}: the predictions for the single images are not kept for both "
            "arms."
        ]
    if turned:
        gained, lost, low, high = lost, gained, -high, -low
    difference = subtract(other, best) if turned else subtract(best, other)
    size = -(difference or 0.0) if turned else difference or 0.0
    more = gained - lost
    kind = "more" if more >= 0 else "fewer"
    of = f" of {words.plural(number, f'{target.split} image')}" if number else f" {target.split} images"
    return [
        f"{words.points(size)} points: {abs(more):,} {kind}{of} right ({gained:,} right only with {best.name}, "
        f"{lost:,} only with {other.name}).",
        f"From these images alone the {block.level:.0%} interval is {words.interval(low, high)} points.",
    ]


def explain_cost(target: Target) -> list[str]:
    """Returns sentences on what the best arm costs, and what that is of the reference's cost."""
    best, reference = find_arm(target, target.verdict.arm), find_reference(target)
    if best is None or best.total_images is None or best.images is None:
        return ["What it costs is not known."]
    sentences = []
    if best.images:
        sentences.append(f"The pre-training of {best.name}: {describe_pretraining(best)}.")
    else:
        sentences.append(f"{best.name} has no pre-training of its own.")
    shared = best.total_images - best.images
    if shared:
        sentences.append(f"The source classifier: {words.count(shared)} images more, once for all targets.")
    if reference is not None and reference is not best and reference.total_images and best.total_images:
        ratio = best.total_images / reference.total_images
        both = "Both together" if shared and best.images else "That"
        times = f"as many as {reference.name} needs"
        if f"{ratio:.1f}" != "1.0":
            times = f"{ratio:.1f} times those of {reference.name} ({words.count(reference.total_images)})"
        sentences.append(f"{both}: {words.count(best.total_images)} images, {times}.")
    if best.total_seconds is not None:
        sentences.append(_describe_time(best, reference))
        sentences.append("Reading, drawing and evaluation are not in it.")
    return sentences


def _describe_time(best: Arm, reference: Arm | None) -> str:
    """Returns a sentence on how long an arm trained, in parts as far as they are known, and beside the reference."""
    total = best.total_seconds or 0.0
    own = f"{'pre-training and ' if best.images else ''}fine-tuning"
    parts = own
    if best.seconds is not None and total > best.seconds:
        classifier = words.duration(total - best.seconds)
        parts = f"the source classifier {classifier}, its own {own} {words.duration(best.seconds)}"
    times = ""
    if reference is not None and reference is not best and reference.total_seconds:
        ratio = f"{total / reference.total_seconds:.1f}"
        took = f"as long as {reference.name}" if ratio == "1.0" else f"{ratio} times as long as {reference.name}"
        times = f", {took} ({words.duration(reference.total_seconds)})"
    return f"Training took {words.duration(total)}{times}: {parts}."


def describe_pretraining(arm: Arm) -> str:
    """Returns the images that the pre-training of an arm saw, and how many passes over how many images that was."""
    if arm.images is None:
        return words.UNKNOWN
    if not arm.images:
        return "none of its own"
    seen = f"{words.count(arm.images)} images seen"
    if not arm.pool:
        return seen
    over = f"a sample of {words.count(arm.pool)}" if arm.pool_kind == "sample" else f"{words.count(arm.pool)} images"
    return f"{seen}, {words.passes(arm.images, arm.pool)} over {over}"


def _end(line: str) -> str:
    return line if line.endswith(".") else f"{line}."
