"""The arms of a comparison, each at the learning rate that eval chose, with its values and costs. Pure."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.stats

from pipeline.compare.rows import Result
from pipeline.compare.statistics import LEVEL

METRICS = ("accuracy", "mean_per_class_accuracy")


@dataclasses.dataclass(frozen=True)
class Arm:
    """An arm on one target, at the learning rate that was chosen.

    Attributes:
      target, name, backbone, matcher, start, n, steps, shots: as in the rows.
      learning_rate: that with the highest mean over seeds on eval; of equal ones the lowest.
      rates: all that were tried for the choice, ascending.
      metric: that of `values` and `eval_values`.
      split: the one that `values` are of: 'test', or 'eval' if the target has no test split.
      results: at the chosen rate, one a seed, by seed.
      images, classifier_images: that the pre-training and the classifier's training saw; mean over seeds.
      seconds: of the pre-training, once, and of the fine-tunings with all rates; mean over seeds.
      classifier_seconds: of the classifier's training, if the arm needs it; mean over seeds.
    """

    target: str
    name: str
    backbone: str
    matcher: str
    start: str
    n: int
    steps: int
    shots: int | None
    learning_rate: float
    rates: tuple[float, ...]
    metric: str
    split: str
    results: tuple[Result, ...]
    images: float
    classifier_images: float
    seconds: float
    classifier_seconds: float

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that have a result, ascending."""
        return tuple(result.cell.seed for result in self.results)

    @property
    def values(self) -> tuple[float, ...]:
        """The metric on `split`, one a seed: shares."""
        return tuple(result.metrics[self.split, self.metric] for result in self.results)

    @property
    def value(self) -> float:
        """The mean of `values`."""
        return float(np.mean(self.values))

    @property
    def eval_value(self) -> float:
        """The mean over seeds of the metric on eval."""
        return float(np.mean([result.metrics["eval", self.metric] for result in self.results]))

    @property
    def half_width(self) -> float:
        """Half the width of the interval of `value` over seeds; see `find_half_width`."""
        return find_half_width(self.values)

    @property
    def total_images(self) -> float:
        """Images that all pre-training saw, with the classifier's."""
        return self.images + self.classifier_images

    @property
    def total_seconds(self) -> float:
        """Seconds of all training, with the classifier's."""
        return self.seconds + self.classifier_seconds

    @property
    def is_whole_source(self) -> bool:
        """Whether it was pre-trained on the whole source, from random weights."""
        return self.steps > 0 and not self.matcher and self.start == "random"


@dataclasses.dataclass(frozen=True)
class Selection:
    """The arms of all targets at one number of shots.

    Attributes:
      arms: target → arm → the arm at its learning rate, in the order of the results.
      notes: what is incomplete, or was chosen from other rates than the rest.
    """

    arms: dict[str, dict[str, Arm]]
    notes: tuple[str, ...]


def find_half_width(values: Sequence[float]) -> float:
    """Returns half the width of the interval of a mean over seeds, from the t distribution; NaN for one value.

    It says how other seeds would vary on these test images, not how other images would; see `statistics` for both.
    """
    if len(values) < 2:
        return math.nan
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(scipy.stats.t.isf((1 - LEVEL) / 2, len(values) - 1)) * error


def list_shots(results: Iterable[Result]) -> list[int | None]:
    """Returns the numbers of images a class that there are results for, ascending; None (all of them) comes last."""
    found = {result.cell.shots for result in results}
    return [*sorted(shots for shots in found if shots is not None), *([None] if None in found else [])]


def select(results: Sequence[Result], metric: str = "accuracy", shots: int | None = None) -> Selection:
    """Chooses the learning rate of each arm on eval, from the same rates for all arms of a target.

    Args:
      results: of one backbone.
      metric: 'accuracy' or 'mean_per_class_accuracy'.
      shots: images a class; None: those of all train images.

    Raises:
      ValueError: the metric is another one, there is no result, there are several backbones, or a result lacks the
        metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric: {metric!r}; must be one of {', '.join(METRICS)}")
    if len(backbones := {result.backbone for result in results}) > 1:
        raise ValueError(f"results: of the backbones {', '.join(sorted(backbones))}; give those of one")
    chosen = [result for result in results if result.cell.shots == shots]
    if not chosen:
        found = ", ".join("all" if number is None else str(number) for number in list_shots(results))
        raise ValueError(
            f"shots: no result with {_describe_shots(shots)}; there are some with {found or 'none at all'}"
        )
    notes: list[str] = []
    arms: dict[str, dict[str, Arm]] = {}
    for target in dict.fromkeys(result.cell.target for result in chosen):
        of_target = [result for result in chosen if result.cell.target == target]
        split = "test" if any("test" in (key[0] for key in result.metrics) for result in of_target) else "eval"
        for result in of_target:
            for needed in {"eval", split}:
                if not math.isfinite(result.metrics.get((needed, metric), math.nan)):
                    raise ValueError(
                        f"results: that of {result.cell} has no {metric} on {needed}; run `specialist compare` again, "
                        "or remove its lines"
                    )
        if split == "eval":
            notes.append(
                f"{target}: has no test split; eval is reported, which also chose the learning rates, so that the "
                "values are a little too high"
            )
        arms[target] = _select_rates(target, of_target, metric, split, notes)
    return Selection(arms, tuple(notes))


def _select_rates(target: str, results: list[Result], metric: str, split: str, notes: list[str]) -> dict[str, Arm]:
    by_arm: dict[str, dict[float, dict[int, Result]]] = {}  # arm → rate → seed → result
    for result in results:
        by_rate = by_arm.setdefault(result.cell.arm, {})
        by_rate.setdefault(result.cell.learning_rate, {})[result.cell.seed] = result
    seeds = {result.cell.seed for result in results}
    common = sorted(set.intersection(*(set(by_rate) for by_rate in by_arm.values())))
    arms = {}
    for name, by_rate in by_arm.items():
        rates = common or sorted(by_rate)
        if not common:
            notes.append(f"{target}, {name}: chosen from the learning rates {_join(rates)}; the other arms had others")
        elif more := sorted(set(by_rate) - set(rates)):
            notes.append(
                f"{target}, {name}: the learning rates {_join(more)} are not used, since not all arms have them"
            )
        complete = sorted(set.intersection(*(set(by_rate[rate]) for rate in rates)))
        if not complete:
            notes.append(f"{target}, {name}: is not used, since no seed has all of the learning rates {_join(rates)}")
            continue
        if missing := sorted(seeds - set(complete)):
            notes.append(f"{target}, {name}: seeds that are missing: {_join(missing)}; used: {_join(complete)}")
        means = [np.mean([by_rate[rate][seed].metrics["eval", metric] for seed in complete]) for rate in rates]
        rate = rates[int(np.argmax(means))]
        chosen = tuple(by_rate[rate][seed] for seed in complete)
        pretraining = [result.seconds - result.finetune_seconds for result in chosen]
        finetuning = [sum(by_rate[each][seed].finetune_seconds for each in rates) for seed in complete]
        first = chosen[0]
        arms[name] = Arm(
            target,
            name,
            backbone=first.backbone,
            matcher=first.matcher,
            start=first.start,
            n=first.n,
            steps=first.steps,
            shots=first.cell.shots,
            learning_rate=rate,
            rates=tuple(rates),
            metric=metric,
            split=split,
            results=chosen,
            images=float(np.mean([result.images for result in chosen])),
            classifier_images=float(np.mean([result.classifier_images for result in chosen])),
            seconds=float(np.mean(np.add(pretraining, finetuning))),
            classifier_seconds=float(np.mean([result.classifier_seconds for result in chosen])),
        )
    return arms


def _describe_shots(shots: int | None) -> str:
    return "all train images" if shots is None else f"{shots} images a class"


def _join(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
