"""The axis of a chart of shares: from where to where, and where its ticks stand. Pure."""

import math
from collections.abc import Sequence

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # between ticks
_PADDING = 0.12  # of the span, on each side
_LEAST = 0.01  # the smallest span: less is no difference that a chart should make large


def span_shares(values: Sequence[float], most: int) -> tuple[list[float], list[float]]:
    """Returns the domain and the ticks of an axis that has all values inside, none of them at an edge.

    Args:
      values: shares, one at least.
      most: the number of ticks that fit, at least 2.
    """
    low, high = min(values), max(values)
    padding = max(_PADDING * (high - low), (_LEAST - (high - low)) / 2, 0.001)
    low, high = low - padding, high + padding
    for step in _STEPS:
        first, last = math.ceil(round(low / step, 6)), math.floor(round(high / step, 6))
        # No accuracy is below 0% or above 100%, though a dot there needs some room beyond it.
        ticks = [round(at * step, 6) for at in range(max(0, first), min(round(1 / step), last) + 1)]
        if len(ticks) <= most:
            break
    return [low, high], ticks
