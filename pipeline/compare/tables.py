"""The paper's tables 3 to 6 for one's own data, with the published figures in columns of their own."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from components.settings import did_you_mean
from pipeline.compare import arms as arms_module
from pipeline.compare import files, layout
from pipeline.compare.arms import Arm, Selection
from pipeline.compare.layout import Table, describe_metric, show_value
from pipeline.compare.paper_tables import TABLES, PaperTable
from pipeline.compare.rows import Result
from pipeline.config.arms import PRESETS

NAMES = tuple(TABLES)
NOT_AT_HAND = "not at hand"

_ABOUT_PUBLISHED = (
    "published: Ngiam et al. 2018, in %, with another source, another budget and mostly another backbone: compare the "
    "differences between the arms. Means of 5 fine-tunings without a spread; pets and flowers102: mean per class"
)


@dataclasses.dataclass(frozen=True)
class Row:
    """An arm in a table.

    Attributes:
      backbone, target: which; "mean of 2" is the mean over two targets.
      arm: its name.
      at_hand: the arms whose mean it is: one, or one for each target; none if it is not at hand.
      published: column → the published accuracy in percent; None if the paper has none.
      published_for: the target that they are of.
    """

    backbone: str
    target: str
    arm: str
    at_hand: tuple[Arm, ...]
    published: Mapping[str, float | None]
    published_for: str

    @property
    def value(self) -> float:
        """The mean of the arms' values; NaN if it is not at hand."""
        return float(np.mean([arm.value for arm in self.at_hand])) if self.at_hand else math.nan

    @property
    def half_width(self) -> float:
        """Half the width of the interval over seeds; NaN if that is not known, or for several targets."""
        return self.at_hand[0].half_width if len(self.at_hand) == 1 else math.nan


@dataclasses.dataclass(frozen=True)
class FilledTable:
    """A table of the paper for one's own data.

    Attributes:
      name: one of `NAMES`.
      metric: of the values at hand.
      rows: the arms.
      notes: what is not at hand, and how to get it; what is to be known of the figures.
    """

    name: str
    metric: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def to_table(self) -> Table:
        """Returns the table as texts."""
        with_backbone = self.name == "backbones"
        columns = (*(["backbone"] if with_backbone else []), "target", "arm", describe_metric(self.metric))
        published = tuple(TABLES[self.name].pretraining)
        return Table(
            f"{self.name}: {TABLES[self.name].title}, in %",
            (*columns, *published, "published for"),
            tuple(
                (
                    *([row.backbone] if with_backbone else []),
                    row.target,
                    row.arm,
                    show_value(row.value, row.half_width) if row.at_hand else NOT_AT_HAND,
                    *("" if (figure := row.published[column]) is None else f"{figure:.1f}" for column in published),
                    row.published_for,
                )
                for row in self.rows
            ),
            ("target", "arm", "published for"),
            (*published, "published for"),
        )

    def to_markdown(self) -> str:
        """Returns the table and its notes in Markdown."""
        return self.to_table().to_markdown() + "\n" + "".join(f"- {note}\n" for note in self.notes)

    def to_csv(self) -> str:
        """Returns one row an arm; values, the ends of their intervals and published figures are in percent."""
        columns = ("backbone", "target", "arm", "learning_rate", "seeds", "value", "low", "high")
        rows = []
        for row in self.rows:
            single = row.at_hand[0] if len(row.at_hand) == 1 else None
            rows.append(
                {
                    "backbone": row.backbone,
                    "target": row.target,
                    "arm": row.arm,
                    "learning_rate": single and single.learning_rate,
                    "seeds": single and len(single.seeds),
                    "value": 100 * row.value,
                    "low": 100 * (row.value - row.half_width),
                    "high": 100 * (row.value + row.half_width),
                    **row.published,
                    "published for": row.published_for,
                }
            )
        return layout.to_csv((*columns, *TABLES[self.name].pretraining, "published for"), rows)


def check_name(name: str) -> None:
    """Checks that there is a table of that name.

    Raises:
      ValueError: there is none.
    """
    if name not in TABLES:
        raise ValueError(f"table: {name!r}; must be one of {', '.join(NAMES)}{did_you_mean(name, NAMES)}")


def fill_table(name: str, results: Sequence[Result], metric: str = "accuracy") -> FilledTable:
    """Returns a table of the paper for the results at hand.

    A row is the arm of that name or, without one, each arm that draws by the matcher of that name. Published figures
    are those of the target of the same name or, for another target, the mean over the targets of the paper's table.

    Args:
      name: one of `NAMES`.
      results: of one backbone or, for 'backbones', of several. Of several numbers of shots the largest is shown.
      metric: 'accuracy' or 'mean_per_class_accuracy'.

    Raises:
      ValueError: there is no such table, none of its arms is at hand, the results are of several backbones for another
        table, or as `arms.select`.
    """
    check_name(name)
    paper = TABLES[name]
    backbones = list(dict.fromkeys(result.backbone for result in results))
    if len(backbones) > 1 and name != "backbones":
        raise ValueError(
            f"table {name}: the results are of the backbones {', '.join(backbones)}; give those of one, or make the "
            "table 'backbones'"
        )
    notes: list[str] = []
    selections: dict[str, Selection] = {}
    for backbone in backbones:
        of_backbone = [result for result in results if result.backbone == backbone]
        shots = arms_module.list_shots(of_backbone)[-1]
        selections[backbone] = arms_module.select(of_backbone, metric, shots)
        notes += [f"{backbone}, {note}" for note in selections[backbone].notes]
        notes += [f"{backbone}: fine-tuned with {shots} images a class"] if shots is not None else []
    rows: list[Row] = []
    for backbone in backbones:
        rows += _list_rows(paper, backbone, selections[backbone].arms)
    runnable = ",".join(arm for arm in paper.arms if arm in PRESETS)
    if not any(row.at_hand for row in rows):
        raise ValueError(f"table {name}: {NOT_AT_HAND}: run `specialist compare … --arms {runnable}`")
    for (backbone, target), arms in _list_missing(rows).items():
        where = f"{backbone}, {target}" if len(backbones) > 1 else target
        if known := [arm for arm in arms if arm in PRESETS]:
            notes.append(f"{where}: {NOT_AT_HAND}: run `specialist compare … --arms {','.join(known)}`")
    notes += [
        f"{arm}: is no arm of this program; the published figure is shown alone"
        for arm in paper.arms
        if arm not in PRESETS
    ]
    if name == "backbones":
        for backbone in (each for each in paper.numbers if each not in backbones):
            targets = {target: dict[str, Arm]() for one in selections.values() for target in one.arms}
            rows += _list_rows(paper, backbone, targets)
            notes.append(
                f"{backbone}: {NOT_AT_HAND}: run `specialist compare … --arms {runnable}` with it as "
                "backbone.name in another workspace, and join that one by `--with`"
            )
    return FilledTable(name, metric, tuple(rows), (*notes, *paper.notes, _ABOUT_PUBLISHED))


def write(folder: str | os.PathLike, filled: FilledTable) -> list[pathlib.Path]:
    """Writes the table as `table_<name>.md` and `.csv`, and returns the paths.

    Raises:
      ValueError: a file cannot be written.
    """
    paths = [pathlib.Path(folder, f"table_{filled.name}{suffix}") for suffix in (".md", ".csv")]
    for path, text in zip(paths, (filled.to_markdown(), filled.to_csv()), strict=True):
        files.write_text(path, text)
    return paths


def _list_rows(paper: PaperTable, backbone: str, targets: Mapping[str, Mapping[str, Arm]]) -> list[Row]:
    """Returns the rows of a backbone: for each target and, with several, for their mean."""

    def make(target: str, name: str, row: str, at_hand: tuple[Arm, ...]) -> Row:
        published = {column: paper.find_accuracy(column, row, target, backbone) for column in paper.pretraining}
        return Row(backbone, target, name, at_hand, published, paper.describe_target(target, backbone))

    rows, of_mean = [], []
    for target, arms in targets.items():
        for row in paper.arms:
            found = _find_arms(arms, row)
            rows += [make(target, arm.name, row, (arm,)) for arm in found] or [make(target, row, row, ())]
    if len(targets) > 1:
        for row in paper.arms:
            each = [arms.get(row) for arms in targets.values()]
            at_hand = tuple(arm for arm in each if arm)
            of_mean.append(make(f"mean of {len(targets)}", row, row, at_hand if len(at_hand) == len(targets) else ()))
    return [*rows, *(row for row in of_mean if row.at_hand)]


def _find_arms(arms: Mapping[str, Arm], row: str) -> list[Arm]:
    if row in arms:
        return [arms[row]]
    return [arm for arm in arms.values() if arm.matcher == row and arm.start == "random"]


def _list_missing(rows: Sequence[Row]) -> dict[tuple[str, str], list[str]]:
    """Returns (backbone, target) → the arms that are not at hand."""
    missing: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not row.at_hand:
            missing.setdefault((row.backbone, row.target), []).append(row.arm)
    return missing
