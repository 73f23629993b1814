"""The paper's tables and figures, of what the results of a comparison have of them."""

import pathlib
import tempfile
from collections.abc import Sequence

from components.transfer_report import block
from pipeline.compare import figures, plots, tables
from pipeline.compare.rows import Result

# Importances are in the label explorer.
_FIGURES = {
    "matchers": "Accuracy by the size of the pre-training set, for each way to draw it (the paper's Figure 3).",
    "shots": "Accuracy by the number of target images a class.",
    "budget": "Accuracy by the images that all pre-training saw.",
}


def fill_tables(results: Sequence[Result], metric: str) -> list[block.Table]:
    """Returns those of the paper's tables of which the results have an arm.

    Args:
      results: of a target.
      metric: 'accuracy' or 'mean_per_class_accuracy'.
    """
    found = []
    for name in tables.NAMES:
        try:
            filled = tables.fill_table(name, results, metric)
        except ValueError:  # nothing of it is at hand
            continue
        table = filled.to_table()
        found.append(block.Table(table.title, table.columns, table.rows, filled.notes))
    return found


def draw_figures(results: Sequence[Result], metric: str) -> list[block.Figure]:
    """Returns those figures that the results have enough of, if what draws them is installed."""
    found = []
    for name, caption in _FIGURES.items():
        try:
            picture = figures.make_figure(name, results, {}, metric).draw()
        except (ValueError, ModuleNotFoundError):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "figure.svg")
            plots.save(picture, path)
            found.append(block.Figure(name, caption, path.read_text(encoding="utf-8")))
    return found
