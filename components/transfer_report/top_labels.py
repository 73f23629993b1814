"""The labels that matter most to a target, and those to look at before they are believed. Pure."""

import dataclasses
import itertools
from collections.abc import Sequence

from components.transfer_report import words
from components.transfer_report.block import ClassShare, Labels
from components.transfer_report.label_names import LabelName

COUNT = 3
_LEAST_SHARE = 0.01  # of the target, of a group that is named


@dataclasses.dataclass(frozen=True)
class TopLabel:
    """One of the labels that matter most to a target.

    Attributes:
      index: of the label.
      share: of the target, as text.
      bounds: its interval, as text; "" without one.
      reason: why it matters: what follows its share of the target, as a sentence's rest.
      seen: in images of which classes it is seen; "" if that is not known.
      flagged: whether what is taken for it is unlike the source's images of it.
    """

    index: int
    share: str
    bounds: str
    reason: str
    seen: str = ""
    flagged: bool = False


@dataclasses.dataclass(frozen=True)
class TopGroup:
    """A group of labels, its share of the target, and how many times that is its share of the source."""

    name: str
    target_share: float
    weight: float


def find_top_labels(labels: Labels) -> list[TopLabel]:
    """Returns the labels with the largest shares of the target, and why they matter."""
    return [
        TopLabel(
            index,
            words.percent(labels.target_share[index]),
            _bound(labels, index),
            _explain(labels, index),
            _say_classes(labels.seen_in.get(index, ())),
            bool(labels.flagged and labels.flagged[index]),
        )
        for index in order_by_share(labels)[:COUNT]
    ]


def is_order_certain(labels: Labels) -> bool:
    """Returns whether the labels with the largest shares of the target would be these for other images of it, too."""
    if not labels.low or not labels.high:
        return True
    order = order_by_share(labels)
    pairs = itertools.pairwise(order[: COUNT + 1])
    return all((labels.low[one] or 0.0) >= (labels.high[next_one] or 0.0) for one, next_one in pairs)


def find_top_groups(labels: Labels, named: Sequence[LabelName]) -> list[TopGroup]:
    """Returns the groups that become most frequent, of those with a share of the target that counts.

    Args:
      labels: the labels.
      named: their names, which have their groups.
    """
    totals: dict[str, list[float]] = {}
    for index, each in enumerate(named):
        total = totals.setdefault(each.group, [0.0, 0.0])
        total[0] += labels.target_share[index] or 0.0
        total[1] += labels.source_share[index] or 0.0
    found = [
        TopGroup(group, target, target / source)
        for group, (target, source) in totals.items()
        if group and source and target >= _LEAST_SHARE and target > source
    ]
    return sorted(found, key=lambda group: -group.weight)[:COUNT]


def order_by_share(labels: Labels) -> Sequence[int]:
    """Returns the indices of the labels, that with the most P_t first."""
    return sorted(range(len(labels.names)), key=lambda index: -(labels.target_share[index] or 0.0))


def list_flagged(labels: Labels) -> list[int]:
    """Returns the indices of the labels that are flagged, that with the most P_t first."""
    return [index for index in order_by_share(labels) if labels.flagged[index]] if labels.flagged else []


def _bound(labels: Labels, index: int) -> str:
    if not labels.low or not labels.high:
        return ""
    return f"{words.percent(labels.low[index])} to {words.percent(labels.high[index])}"


def _explain(labels: Labels, index: int) -> str:
    if not labels.counts[index]:
        return "; the source has no image of it, so none can be drawn."
    times = words.factor(labels.weights[index]).removesuffix("×")
    source = words.percent(labels.source_share[index])
    return f", and {source} of the source: {times} times as frequent in a sample with the target's proportions."


def _say_classes(seen: Sequence[ClassShare]) -> str:
    if not seen or not seen[0].share:
        return ""
    first, *others = [f"{words.isolate(each.name)} ({words.percent(each.share)})" for each in seen[:2]]
    then = f", then of {others[0]}" if others and seen[1].share else ""
    return f"It is seen most in images of class {first}{then}."
