"""The labels that matter most to a target, and those to look at before they are believed. Pure."""

import dataclasses
from collections.abc import Sequence

from components.transfer_report import words
from components.transfer_report.block import ClassShare, Labels

COUNT = 3


@dataclasses.dataclass(frozen=True)
class TopLabel:
    """One of the labels that matter most to a target.

    Attributes:
      index: of the label.
      share: of the target, as text.
      reason: why it matters: what follows its share of the target, as a sentence's rest.
      seen: in images of which classes it is seen; "" if that is not known.
      flagged: whether what is taken for it is unlike the source's images of it.
    """

    index: int
    share: str
    reason: str
    seen: str = ""
    flagged: bool = False


def find_top_labels(labels: Labels) -> list[TopLabel]:
    """Returns the labels with the largest shares of the target, and why they matter."""
    return [
        TopLabel(
            index,
            words.percent(labels.target_share[index]),
            _explain(labels, index),
            _say_classes(labels.seen_in.get(index, ())),
            bool(labels.flagged and labels.flagged[index]),
        )
        for index in order_by_share(labels)[:COUNT]
    ]


def order_by_share(labels: Labels) -> Sequence[int]:
    """Returns the indices of the labels, that with the most P_t first."""
    return sorted(range(len(labels.names)), key=lambda index: -(labels.target_share[index] or 0.0))


def list_flagged(labels: Labels) -> list[int]:
    """Returns the indices of the labels that are flagged, that with the most P_t first."""
    return [index for index in order_by_share(labels) if labels.flagged[index]] if labels.flagged else []


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
    return f"Its mean share is largest in images of class {first}{then}."
