"""Each arm against the reference: the difference, how well it is known, and the verdict, by target and in the mean."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from components.settings import did_you_mean
from pipeline.compare import arms as arms_module
from pipeline.compare import predictions, statistics, verdict
from pipeline.compare.arms import Arm
from pipeline.compare.rows import Cell, Result
from pipeline.compare.statistics import Comparison
from pipeline.compare.verdict import Verdict

# Total numbers of images that differ by less count as the same budget: steps × batch is seldom equal to the image.
_SAME_BUDGET = 1.05

# The rows and the predictions of one model may differ by so much, for they may come from graphs of another precision.
SAME_VALUE = 0.005


@dataclasses.dataclass(frozen=True)
class Compared:
    """An arm against a reference.

    Attributes:
      arm, reference: their names.
      seeds: those that both have.
      comparison: the difference.
      verdict: whether the arm is better; its p is adjusted for the arms it was judged with.
    """

    arm: str
    reference: str
    seeds: tuple[int, ...]
    comparison: Comparison
    verdict: Verdict

    def __str__(self) -> str:
        return verdict.in_words(self.comparison, self.verdict, self.reference)


@dataclasses.dataclass(frozen=True)
class Budget:
    """Arms that were pre-trained equally long.

    Attributes:
      kind: what is equal: the steps of the pre-training, or all images with the classifier's (to 5%).
      amount: how many; of the images, those of the cheapest arm.
      reference: the arm that the others are compared with: the comparison's own reference, or another one that is
        pre-trained on the whole source, or the first.
      arms: all of them, the reference first.
      compared: arm → how it compares; empty without predictions.
    """

    kind: Literal["steps", "total images"]
    amount: float
    reference: str
    arms: tuple[str, ...]
    compared: Mapping[str, Compared]


@dataclasses.dataclass(frozen=True)
class TargetOutcome:
    """The comparison on one target.

    Attributes:
      target: its name.
      split: that of the differences; see `Arm`.
      arms: arm → its values and costs.
      compared: arm → how it compares with the reference; without the reference, and empty without predictions.
      budgets: the groups of arms with equal budgets.
      best: the arm with the highest value on eval; of equal ones the one with the fewest images in total.
      cheaper: arm → how it compares with `best`, of those with fewer images in total.
    """

    target: str
    split: str
    arms: Mapping[str, Arm]
    compared: Mapping[str, Compared]
    budgets: tuple[Budget, ...]
    best: str
    cheaper: Mapping[str, Compared]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A comparison of arms.

    Attributes:
      metric: what is compared.
      reference: the arm that the others are compared with.
      shots: images a class for fine-tuning; None: all.
      equivalence: the difference, as a share, that does not matter.
      varied_classifier: whether each seed has a source classifier of its own.
      targets: target → the comparison on it.
      mean: arm → how it compares in the mean over the targets; empty with one target, or without predictions.
      notes: what is incomplete, and what the spreads do not show.
    """

    metric: str
    reference: str
    shots: int | None
    equivalence: float
    varied_classifier: bool
    targets: Mapping[str, TargetOutcome]
    mean: Mapping[str, Compared]
    notes: tuple[str, ...]


def compare_arms(
    results: Sequence[Result],
    folder: str | os.PathLike | None,
    reference: str = "entire_source",
    *,
    metric: str = "accuracy",
    shots: int | None = None,
    equivalence: float = 0.01,
    varied_classifier: bool = False,
) -> Outcome:
    """Compares the arms of each target with the reference, on the seeds that both have.

    Verdicts are adjusted for the arms: of a target, and of the mean.

    Args:
      results: of one backbone.
      folder: that of the predictions of the reported split; None: there are none, and nothing is compared.
      reference: an arm.
      metric: 'accuracy' or 'mean_per_class_accuracy'.
      shots: images a class for fine-tuning; None: all train images.
      equivalence: the difference, as a share, that does not matter.
      varied_classifier: whether each seed has a source classifier of its own.

    Raises:
      ValueError: no target has the reference, predictions are missing or do not belong to the results, or as `select`.
    """
    selection = arms_module.select(results, metric, shots)
    names = list(dict.fromkeys(name for arms in selection.arms.values() for name in arms))
    if reference not in names:
        raise ValueError(
            f"reference: {reference!r} is no arm with results{did_you_mean(reference, names)}; choose one of "
            f"{', '.join(names)}, or run `specialist compare` with it as one of the arms"
        )
    notes = list(selection.notes)
    starts = {name: next(arms[name].start for arms in selection.arms.values() if name in arms) for name in names}
    shared = {"published": "published network"} | ({} if varied_classifier else {"classifier": "classifier"})
    for start, network in shared.items():
        if sharing := [name for name in names if starts[name] == start]:
            notes.append(
                f"{', '.join(sharing)}: all seeds start from the same {network}, so that the spread is understated: "
                f"another {network} would have given another result"
            )
    targets = {
        target: _compare_target(target, arms, folder, reference, equivalence, notes)
        for target, arms in selection.arms.items()
        if arms
    }
    mean = _combine(targets, names, equivalence, notes)
    return Outcome(metric, reference, shots, equivalence, varied_classifier, targets, mean, tuple(notes))


class _Pairs:
    """Compares arms of one target pair by pair. Reads the predictions of all of them once."""

    def __init__(self, arms: Mapping[str, Arm], folder: str | os.PathLike | None, equivalence: float):
        self._arms, self._equivalence = arms, equivalence
        self._rows: dict[Cell, np.ndarray] = {}
        if folder is None:
            return
        found = [result for arm in arms.values() for result in arm.results]
        read = predictions.correct(folder, [result.cell for result in found])
        arm = next(iter(arms.values()))
        self._classes = read.labels if arm.metric == "mean_per_class_accuracy" else None
        for result, right in zip(found, read.correct, strict=True):
            self._rows[result.cell] = right.astype(np.float64)
            value, expected = measure(right, self._classes), result.metrics[arm.split, arm.metric]
            if abs(value - expected) > SAME_VALUE:
                raise ValueError(
                    f"{predictions.path(folder, result.cell)}: its {arm.metric} is {value:.4f}, but the results have "
                    f"{expected:.4f}; they are of different runs: delete the file and let `specialist compare` write "
                    "it again"
                )

    def compare(self, reference: str, names: Sequence[str]) -> tuple[dict[str, Compared], list[str]]:
        """Returns arm → how it compares with `reference`, and the arms that have no seed in common with it."""
        if not self._rows:
            return {}, []
        base, found, apart = self._arms[reference], {}, []
        for name in names:
            seeds = sorted(set(self._arms[name].seeds) & set(base.seeds))
            if seeds:
                differences = self._stack(name, seeds) - self._stack(reference, seeds)
                found[name] = tuple(seeds), statistics.compare(differences, self._classes)
            else:
                apart.append(name)
        verdicts = verdict.judge([comparison for _, comparison in found.values()], equivalence=self._equivalence)
        return {
            name: Compared(name, reference, seeds, comparison, judged)
            for (name, (seeds, comparison)), judged in zip(found.items(), verdicts, strict=True)
        }, apart

    def _stack(self, name: str, seeds: Sequence[int]) -> np.ndarray:
        cells = {result.cell.seed: result.cell for result in self._arms[name].results}
        return np.stack([self._rows[cells[seed]] for seed in seeds])


def _compare_target(
    target: str,
    arms: Mapping[str, Arm],
    folder: str | os.PathLike | None,
    reference: str,
    equivalence: float,
    notes: list[str],
) -> TargetOutcome:
    pairs = _Pairs(arms, folder, equivalence)
    compared: dict[str, Compared] = {}
    if reference in arms:
        compared, apart = pairs.compare(reference, [name for name in arms if name != reference])
        notes.extend(f"{target}, {name}: has no seed in common with {reference}; not compared" for name in apart)
    else:
        notes.append(f"{target}: has no result of {reference}; its arms are not compared")
    best = max(arms.values(), key=lambda arm: (arm.eval_value, -arm.total_images))
    cheaper, _ = pairs.compare(best.name, [arm.name for arm in arms.values() if arm.total_images < best.total_images])
    budgets = []
    for kind, amount, group in _group_by_budget(arms):
        base = _choose_base(group, reference)
        others = [arm.name for arm in group if arm is not base]
        budgets.append(Budget(kind, amount, base.name, (base.name, *others), pairs.compare(base.name, others)[0]))
    return TargetOutcome(target, best.split, arms, compared, tuple(budgets), best.name, cheaper)


def _combine(
    targets: Mapping[str, TargetOutcome], names: Sequence[str], equivalence: float, notes: list[str]
) -> dict[str, Compared]:
    if len(targets) < 2 or not any(outcome.compared for outcome in targets.values()):
        return {}
    found = {}
    for name in names:
        parts = [outcome.compared[name] for outcome in targets.values() if name in outcome.compared]
        if len(parts) == len(targets):
            seeds = sorted(set.union(*(set(part.seeds) for part in parts)))
            found[name] = parts[0].reference, tuple(seeds), statistics.combine([part.comparison for part in parts])
        elif parts:
            notes.append(f"{name}: is in no mean over the targets, since not all of them have it")
    verdicts = verdict.judge([comparison for _, _, comparison in found.values()], equivalence=equivalence)
    return {
        name: Compared(name, reference, seeds, comparison, judged)
        for (name, (reference, seeds, comparison)), judged in zip(found.items(), verdicts, strict=True)
    }


def measure(right: np.ndarray, classes: np.ndarray | None) -> float:
    """Returns the share of images that are right; with `classes` the mean over the classes of each one's share."""
    if classes is None:
        return float(right.mean())
    return float(np.mean([right[classes == label].mean() for label in np.unique(classes)]))


def _group_by_budget(arms: Mapping[str, Arm]) -> list[tuple[Literal["steps", "total images"], float, list[Arm]]]:
    """Returns the groups of two or more arms with equal steps, and those with equal images in total but other steps."""
    groups: list[tuple[Literal["steps", "total images"], float, list[Arm]]] = []
    for steps in sorted({arm.steps for arm in arms.values() if arm.steps}):
        groups.append(("steps", steps, [arm for arm in arms.values() if arm.steps == steps]))
    rising: list[list[Arm]] = []
    for arm in sorted((arm for arm in arms.values() if arm.total_images), key=lambda arm: arm.total_images):
        if rising and arm.total_images <= _SAME_BUDGET * rising[-1][0].total_images:
            rising[-1].append(arm)
        else:
            rising.append([arm])
    by_steps = [{arm.name for arm in group} for _, _, group in groups]
    for group in rising:
        members = {arm.name for arm in group}
        if not any(members <= names for names in by_steps):  # else they are compared already
            in_order = [arm for arm in arms.values() if arm.name in members]
            groups.append(("total images", group[0].total_images, in_order))
    return [group for group in groups if len(group[2]) > 1]


def _choose_base(group: Sequence[Arm], reference: str) -> Arm:
    whole_source = [arm for arm in group if arm.is_whole_source]
    return next((arm for arm in group if arm.name == reference), (whole_source or list(group))[0])
