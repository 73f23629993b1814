"""What a verdict rests on: the data, whether they were compared, the budgets, and what a model had to reach. Pure."""

from components.transfer_report import claims, words
from components.transfer_report.block import Arm, Block, Target

# Numbers of images that differ by more than this share of the larger one are no equal budgets.
_BUDGETS = 0.1
PAPER = "Ngiam et al. 2018, Domain Adaptive Transfer Learning with Specialist Models, arXiv 1811.07056"


def describe_data(block: Block, target: Target) -> list[str]:
    """Returns sentences on what the source and the target are, in numbers; what is not known is left out."""
    sentences = []
    if block.source is not None:
        images = words.plural(block.source.images.get("train", sum(block.source.images.values())), "image")
        sentences.append(f"The source: {images} of {words.plural(block.source.labels, 'label')}.")
    uses = {
        "train": "to train on",
        "eval": "to choose the best arm by (eval)",
        "test": "to report on, which nothing was chosen by (test)",
    }
    if target.split == "eval":
        uses["eval"] = "to choose the best arm by and to report on (eval), which makes that arm look a little too good"
    parts = [
        f"{words.plural(number, 'image') if i == 0 else words.count(number)} {uses.get(split, f'in {split}')}"
        for i, (split, number) in enumerate(target.images.items())
    ]
    if target.classes:
        parts.append(f"{len(target.classes):,} class{'' if len(target.classes) == 1 else 'es'}")
    if parts:
        sentences.append(f"The target {words.isolate(target.name)}: {'; '.join(parts)}.")
    return sentences


def explain_duplicates(block: Block) -> str:
    """Returns a sentence on whether near-duplicates were looked for, and what was found; "" without source data."""
    if block.source is None:
        return ""
    if not block.source.excluded:
        return (
            "Near-duplicates were not looked for: source and target images were not compared, so that images that a "
            "model is tested on may be in the source."
        )
    number = sum(block.source.excluded.values())
    if not number:
        return "Near-duplicates were looked for: no source image resembles one of a target."
    return (
        f"Near-duplicates were looked for: {words.plural(number, 'source image')} that "
        f"{'resembles' if number == 1 else 'resemble'} one of a target {'is' if number == 1 else 'are'} excluded."
    )


def differs_in_budget(images: float | None, others: float | None) -> bool:
    """Returns whether two numbers of images that trainings saw differ by more than a tenth of the larger one."""
    if images is None or others is None:
        return False
    return abs(images - others) > _BUDGETS * max(images, others)


def explain_budget(target: Target) -> list[str]:
    """Returns one sentence on how the budgets of the arms that the verdict compares differ; none if they hardly do."""
    best, other = claims.find_arm(target, target.verdict.arm), claims.find_other(target)
    if best is None or other is None or other is best or not differs_in_budget(best.total_images, other.total_images):
        return []
    return [
        f"The budgets differ, from which a part of the difference may come: {_describe_budget(best)}; "
        f"{_describe_budget(other)}."
    ]


def explain_push(target: Target) -> str:
    """Returns why the model of this arm was to be pushed, and what it had to reach; "" if none was to be."""
    verdict = target.verdict
    if verdict.pushed_arm is None:
        return ""
    because = f"`targets.{target.name}.push` says so"
    parts = [f"Pushed because {because}" if verdict.pushed else f"{verdict.pushed_arm} was to be pushed as {because}"]
    pushed, best = claims.find_arm(target, verdict.pushed_arm), claims.find_arm(target, verdict.arm)
    if pushed is not None and best is not None and len(target.arms) > 1:
        parts.append(_rank(target, pushed, best))
    criterion = verdict.criterion
    if criterion is not None and criterion.passed is not None:
        reached = words.name_metric(criterion.metric)
        if criterion.value is not None:
            reached += f" {words.percent(criterion.value)} on {_count_eval(target)}"
        passed = "passed" if criterion.passed else "did not pass"
        parts.append(f"it {passed}: {reached}, minimum {words.percent(criterion.minimum)}")
    return f"{'; '.join(parts)}."


def _rank(target: Target, pushed: Arm, best: Arm) -> str:
    """Returns how the pushed arm stands among the arms on eval."""
    if pushed.name != best.name:
        size = "" if None in (best.eval_mean, pushed.eval_mean) else f" by {_subtract_eval(best, pushed)} points"
        return f"it is not the best on eval: {best.name} is{size}, on {_count_eval(target)}"
    other = claims.find_other(target)
    if other is None or other is best or other.eval_mean is None or best.eval_mean is None:
        return "it is the best on eval"
    return f"it is the best on eval ({_subtract_eval(best, other)} points to {other.name}, on {_count_eval(target)})"


def _subtract_eval(arm: Arm, other: Arm) -> str:
    return words.points((arm.eval_mean or 0.0) - (other.eval_mean or 0.0))


def _count_eval(target: Target) -> str:
    number = target.images.get("eval")
    return "eval" if number is None else words.plural(number, "eval image")


def _describe_budget(arm: Arm) -> str:
    """Returns the images that all training before the fine-tuning of an arm saw, and how they come about."""
    total, own = arm.total_images or 0, arm.images or 0
    if not total:
        return f"{arm.name} was not pre-trained"
    parts = []
    if own:
        over = f"{words.passes(own, arm.pool)} over " if arm.pool else ""
        pool = "" if not arm.pool else f"a sample of {arm.pool:,}" if arm.pool_kind == "sample" else f"{arm.pool:,}"
        parts.append(f"{over}{pool}" if pool else f"{own:,} of its own")
    if total > own:
        parts.append(f"the source classifier's {total - own:,}")
    return f"{arm.name} saw {total:,} images in all ({' and '.join(parts)})"
