"""What must be known to read a verdict: the data, what the arms had to train with, and why a model is served. Pure."""

from components.transfer_report import claims, words
from components.transfer_report.block import Arm, Block, Target

_SIMILAR = 1.1  # times as many images: less is no other budget


def describe_data(block: Block, target: Target) -> str:
    """Returns a sentence on what source and target are; "" if nothing is known of them."""
    parts = []
    if target.images.get("train"):
        classes = f" of {len(target.classes):,} classes" if target.classes else ""
        parts.append(f"The target has {words.plural(target.images['train'], 'image')}{classes} to train on")
    if block.source is not None and block.source.images.get("train"):
        images = words.plural(block.source.images["train"], "image")
        parts.append(f"{'the' if parts else 'The'} source {images} of {words.plural(block.source.labels, 'label')}")
    return f"{', '.join(parts)}." if parts else ""


def explain_budget(target: Target) -> str:
    """Returns a sentence on what the best arm and the one it is told apart from trained on; "" if that is as much."""
    best, other = claims.find_arm(target, target.verdict.arm), claims.find_other(target)
    if best is None or other is None or best is other or not best.total_images or not other.total_images:
        return ""
    low, high = sorted((best.total_images, other.total_images))
    if high <= _SIMILAR * low:
        return ""
    return (
        f"They did not train on as much: {_sum_up(best)}; {_sum_up(other)}. What of the difference comes from that is "
        "not told by these two arms."
    )


def explain_leakage(block: Block) -> str:
    """Returns a sentence on images that are in both the source and the targets; "" without a source."""
    if block.source is None:
        return ""
    if not block.source.excluded:
        return (
            "Near-duplicates were not looked for: an image of the target, or one like it, may be in the source, too. "
            "`near_duplicates.enabled: true` finds and excludes them."
        )
    number = sum(block.source.excluded.values())
    if not number:
        return "Near-duplicates were looked for: no image of the source resembles one of a target."
    images = words.plural(number, "image")
    return f"Near-duplicates were looked for: {images} of the source, which resemble a target's, are excluded."


def explain_push(target: Target) -> str:
    """Returns why the model is the one that is pushed, and what it had to pass; "" if none is pushed."""
    verdict = target.verdict
    arm = claims.find_arm(target, verdict.pushed_arm)
    if arm is None or not (verdict.pushed or verdict.served):
        return ""
    images = target.images.get("eval")
    known = arm.eval_mean is not None and images
    on = f" ({words.percent(arm.eval_mean)} on {words.plural(images or 0, 'eval image')})" if known else ""
    rank = "the best on eval" if verdict.arm == arm.name else f"not the best on eval, which is {verdict.arm}"
    text = f"`targets.{target.name}.push` names it; it is {rank}{on}."
    if verdict.minimum is not None:
        metric = words.name_metric(verdict.minimum_metric)
        text += f" Its {metric} on eval had to be {words.percent(verdict.minimum)} at least."
    return text


def _sum_up(arm: Arm) -> str:
    """Returns what an arm trained on, and what of it was the classifier's."""
    text = f"{arm.name} on {words.count(arm.total_images)} images"
    shared = (arm.total_images or 0) - (arm.images or 0)
    if shared and arm.images:
        text += f", {words.count(shared)} of them the source classifier's"
    if arm.images and arm.pool:
        what = "its sample" if arm.pool_kind == "sample" else "the source"
        text += f" ({words.passes(arm.images, arm.pool)} over {what})"
    return text
