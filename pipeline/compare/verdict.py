"""What a comparison of arms says: better, worse, equal, or what it would take to tell. Pure."""

import bisect
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import scipy.stats

from pipeline.compare.statistics import LEVEL, Comparison, estimate_spread

MAX_SEEDS = 100  # nobody trains more

# Where this many times the test images do not tell, the seeds are what is missing.
_MAX_IMAGE_FACTOR = 10_000


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether an arm is better than the reference.

    Attributes:
      kind: 'better', 'worse', 'equal' or 'cannot tell'.
      p: adjusted for the number of arms; NaN if there is one seed, or one test image.
      more_seeds: about how many more seeds would tell, if the difference stays as it is; None if that is not known, or
        if no number up to `MAX_SEEDS` in all would.
      test_images: about how many test images, in all, would tell. It is given where more seeds alone would not: with
        the present seeds or, if `more_seeds` is given too, with those.
    """

    kind: Literal["better", "worse", "equal", "cannot tell"]
    p: float
    more_seeds: int | None = None
    test_images: int | None = None


def adjust(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted for their number, such that any true hypothesis is rejected with at most this chance.

    See Holm 1979, Scandinavian Journal of Statistics 6:65-70. NaN, of a comparison that tests nothing, remains and
    does not count.

    Raises:
      ValueError: a p-value is not between 0 and 1.
    """
    given = np.asarray(p_values, np.float64)
    if given.ndim != 1 or ((given < 0) | (given > 1)).any():
        raise ValueError(f"p_values: {list(p_values)}; each must lie between 0 and 1")
    order = np.argsort(given, kind="stable")[: np.count_nonzero(~np.isnan(given))]  # NaN sorts last
    adjusted = given.copy()
    adjusted[order] = np.minimum(1, np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)))
    return adjusted.tolist()


def judge(comparisons: Sequence[Comparison], *, equivalence: float = 0.01) -> list[Verdict]:
    """Returns the verdict on each arm.

    An arm is better if the lower end of its interval is above 0 and its p, adjusted for the arms, below 0.05; worse
    likewise; equal if it is neither and all of its interval is inside ± `equivalence` (Schuirmann 1987: both one-sided
    tests reject, at 0.025 here).

    What would tell is found from the variance components: how many seeds or images make the interval around the present
    difference narrow enough for one of these verdicts. As another sample has another difference, the chance of a
    verdict is then about one half. Seeds come first, for they need no labels. Where no number of seeds up to
    `MAX_SEEDS` tells, it is test images with the present seeds; where they do not tell either, both grow in proportion.

    Args:
      comparisons: one for each arm, to the same reference; all of those that are looked at.
      equivalence: the difference, as a share, that does not matter.

    Raises:
      ValueError: `equivalence` is not between 0 and 1.
    """
    if not 0 < equivalence < 1:
        raise ValueError(f"equivalence: {equivalence}; it must lie between 0 and 1, for example 0.01 for one point")
    adjusted = adjust([comparison.p for comparison in comparisons])
    tested = sorted(comparison.p for comparison in comparisons if comparison.is_known)
    verdicts = []
    for comparison, p in zip(comparisons, adjusted, strict=True):
        if not comparison.is_known:
            verdicts.append(Verdict("cannot tell", p))
        elif p < 1 - LEVEL and comparison.low > 0:
            verdicts.append(Verdict("better", p))
        elif p < 1 - LEVEL and comparison.high < 0:
            verdicts.append(Verdict("worse", p))
        elif -equivalence < comparison.low and comparison.high < equivalence:
            verdicts.append(Verdict("equal", p))
        else:
            # How many times as large Holm makes this p, where the others stay as they are.
            factor = len(tested) - tested.index(comparison.p)
            more_seeds, test_images = _plan(comparison, equivalence, max(factor, p / comparison.p))
            verdicts.append(Verdict("cannot tell", p, more_seeds, test_images))
    return verdicts


def in_words(comparison: Comparison, verdict: Verdict, reference: str) -> str:
    """Returns a line such as "+3.8 points [2.6, 5.1] over entire_source: better".

    Args:
      comparison: of an arm.
      verdict: on that arm.
      reference: the name of the reference arm.
    """
    if not comparison.is_known:
        one_seed = any(target.seeds == 1 for target in comparison.targets)
        reason = "one seed does not show how seeds vary, run more" if one_seed else "one test image shows nothing"
        return f"{_in_points(comparison.difference, 1, '+')} points over {reference}: {verdict.kind}, {reason}"
    ends = (comparison.low, comparison.high)
    # As many digits as it takes to see on which side of 0 an interval ends.
    digits = next((n for n in (1, 2, 3) if all(round(100 * end, n) for end in ends)), 1)
    low, high = (_in_points(end, digits) for end in ends)
    line = f"{_in_points(comparison.difference, digits, '+')} points [{low}, {high}] over {reference}: {verdict.kind}"
    if verdict.kind == "cannot tell" and (comparison.low > 0 or comparison.high < 0):
        line += f" (p {verdict.p:.2g}, adjusted for the arms)"
    seeds = f"about {verdict.more_seeds} more seed{'s' if verdict.more_seeds != 1 else ''}"
    images = f"about {_round_up(verdict.test_images or 0):,} test images"
    if verdict.more_seeds and verdict.test_images:
        return f"{line}, {seeds} together with {images} would"
    if verdict.test_images:
        return f"{line}, no number of seeds up to {MAX_SEEDS} would: {images} would"
    return f"{line}, {seeds} would" if verdict.more_seeds else line


def _plan(comparison: Comparison, equivalence: float, factor: float) -> tuple[int | None, int | None]:
    """Returns how many more seeds, and how many test images in all, would tell, as `judge` says.

    Args:
      comparison: one that cannot tell.
      equivalence: the difference that does not matter.
      factor: by which p is adjusted.
    """
    distance = abs(comparison.difference)
    seeds = max(target.seeds for target in comparison.targets)
    images = sum(target.images for target in comparison.targets)

    def tells(more_seeds: int, test_images: float) -> bool:
        error, freedom = estimate_spread(comparison.targets, more_seeds=more_seeds, image_factor=test_images / images)
        two_sided, adjusted = (
            float(scipy.stats.t.isf(tail / 2, freedom)) for tail in (1 - LEVEL, (1 - LEVEL) / factor)
        )
        return distance > adjusted * error or distance + two_sided * error < equivalence

    if tells(max(0, MAX_SEEDS - seeds), images):
        return _find_first(lambda more: tells(more, images), 1), None
    if tells(0, _MAX_IMAGE_FACTOR * images):
        return None, _find_first(lambda total: tells(0, total), images + 1)
    more_seeds = _find_first(lambda more: tells(more, images * (seeds + more) / seeds), 1)
    return more_seeds, math.ceil(images * (seeds + more_seeds) / seeds)


def _find_first(tells: Callable[[int], bool], start: int) -> int:
    """Returns the smallest number from `start` on that tells; all larger ones tell, too, and some number does."""
    low, high = start, start
    while not tells(high):
        low, high = high + 1, 2 * high
    return bisect.bisect_left(range(low, high), True, key=tells) + low


def _in_points(share: float, digits: int, sign: str = "") -> str:
    return f"{round(100 * share, digits) + 0.0:{sign}.{digits}f}"  # + 0.0 makes -0.0 a 0.0


def _round_up(number: int) -> int:
    """Returns `number` with two significant digits."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit
