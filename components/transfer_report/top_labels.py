"""The labels that matter most to a target. Pure."""

import dataclasses
from collections.abc import Sequence

from components.transfer_report import words
from components.transfer_report.block import Labels

_COUNT = 3


@dataclasses.dataclass(frozen=True)
class TopLabel:
    """One of the labels that matter most to a target: its index, its name, and why."""

    index: int
    name: str
    share: str
    reason: str


def find_top_labels(labels: Labels) -> list[TopLabel]:
    """Returns the labels with the largest shares of the target, and why they matter."""
    found = []
    for index in order_by_share(labels)[:_COUNT]:
        share, weight = labels.target_share[index], labels.weights[index]
        reason = (
            f"{words.percent(labels.source_share[index])} of the source, so its weight is {words.factor(weight)}"
            if labels.counts[index]
            else "no image in the source, so it cannot be drawn"
        )
        found.append(TopLabel(index, labels.names[index], words.percent(share), reason))
    return found


def order_by_share(labels: Labels) -> Sequence[int]:
    """Returns the indices of the labels, that with the most P_t first."""
    return sorted(range(len(labels.names)), key=lambda index: -(labels.target_share[index] or 0.0))
