"""What the report says of the samples that were drawn. Pure."""

from components.transfer_report import words
from components.transfer_report.block import Target


def explain_sample(target: Target) -> tuple[str, str] | None:
    """Returns an arm and what the distances of its sample mean; None if none is known.

    It is the arm whose labels are shown, else the first one whose distances are known.
    """
    known = [arm for arm, found in target.achieved.items() if found.distance_drawn is not None]
    if not known:
        return None
    arm = target.labels.arm if target.labels is not None and target.labels.arm in known else known[0]
    found = target.achieved[arm]
    text = f"{words.percent(found.distance_drawn)} of what was drawn is of other labels than was asked for"
    if found.distance_source is not None:
        text += f"; of the whole source, {words.percent(found.distance_source)} would be"
    return arm, f"{text}."
