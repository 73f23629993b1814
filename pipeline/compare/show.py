"""What `specialist compare` prints and writes besides the lines of its nodes."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence

import rich.console

from pipeline.compare import comparison, figures, files, rows, tables
from pipeline.compare import report as reports
from pipeline.compare.matrix import Matrix
from pipeline.compare.store import Store, folder_of
from pipeline.compare.train import Plan, Progress, Trained
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.terminal.progress import format_time


def show_plan(console: rich.console.Console, matrix: Matrix, plan: Plan) -> None:
    """Prints how much there is to do, and which arms are left out."""
    for target, lacking in matrix.lacking.items():
        for arm, what in lacking.items():
            console.print(f"{target}: without {arm}, which lacks {what}", style="yellow", markup=False, highlight=False)
    line = f"{len(plan.cells):,} cells"
    if plan.finished:
        line += f", {len(plan.finished):,} of them finished"
    if plan.nodes is not None:
        kinds = collections.Counter(map(ids.kind_of, plan.nodes.order))
        trainings = sum(kinds[kind] for kind in (ids.CLASSIFIER_KIND, ids.SPECIALIST, ids.FINETUNE))
        line += f"; up to {trainings:,} trainings, and {plan.bytes / 1e9:,.1f} GB for models and checkpoints"
    console.print(line, highlight=False)


def show_progress(console: rich.console.Console, progress: Progress) -> None:
    """Prints how far the whole comparison is."""
    left = "" if progress.seconds_left is None else f", about {format_time(progress.seconds_left)} left"
    console.print(f"  {progress.finished:,} of {progress.cells:,} cells{left}", style="bold", highlight=False)


def report(console: rich.console.Console, config: Config, folder: str, trained: Trained) -> None:
    """Prints and writes the results: as a table, and as a comparison of the arms for each number of images a class."""
    if not trained.results:
        console.print("no cell is finished: there is nothing to compare", style="yellow", highlight=False)
        _say_what_is_missing(console, trained)
        return
    path = os.path.join(folder, rows.FILE_NAME)
    rows.write(path, trained.results)
    settings, metric = config.compare, _metric(config)
    pushed = {name: target.push for name, target in config.targets.items() if target.push}
    pages = []
    for shots in sorted({result.cell.shots for result in trained.results}, key=lambda shots: shots or 1 << 31):
        arms = list(dict.fromkeys(result.cell.arm for result in trained.results if result.cell.shots == shots))
        reference = settings.reference if settings.reference in arms else arms[0]
        try:
            outcome = comparison.compare_arms(
                trained.results,
                folder,
                reference,
                metric=metric,
                shots=shots,
                equivalence=settings.equivalence,
                varied_classifier="classifier" in settings.vary,
            )
        except ValueError as error:
            console.print(str(error), style="yellow", markup=False, highlight=False)
            continue
        if reference != settings.reference:
            note = f"{settings.reference}, the reference, has no result; the arms are compared with {reference}"
            outcome = dataclasses.replace(outcome, notes=(note, *outcome.notes))
        reports.show(console, outcome, pushed)
        pages.append(reports.to_markdown(outcome, pushed))
    page = os.path.join(folder, reports.FILE_NAME)
    files.write_text(page, "\n".join(pages))
    _say_what_is_missing(console, trained)
    console.print(f"\nresults: {path}\nreport:  {page}", markup=False, highlight=False)


def show_table(console: rich.console.Console, name: str, config: Config, workspaces: Sequence[str]) -> None:
    """Prints and writes a table of the paper from the results at hand in the first of the workspaces and the others.

    Raises:
      ValueError: there is no such table, or nothing of it is at hand.
    """
    tables.check_name(name)
    parts = [(workspace, _read(workspace, config)) for workspace in workspaces]
    filled = tables.fill_table(name, rows.join(parts), _metric(config))
    console.print(filled.to_table().to_rich())
    for note in filled.notes:
        console.print(f"- {note}", style="dim", markup=False, highlight=False)
    _say_where(console, tables.write(folder_of(workspaces[0], config.name), filled))


def show_figure(console: rich.console.Console, name: str, config: Config, workspaces: Sequence[str]) -> None:
    """Writes a figure from the results at hand, and prints where.

    Raises:
      ValueError: there is no such figure, or nothing of it is at hand.
      ModuleNotFoundError: matplotlib is not installed.
    """
    figures.check_name(name)
    folder = folder_of(workspaces[0], config.name)
    priors = Store(folder).read_priors(config.targets)
    results = [] if name == "importance" else rows.join([(each, _read(each, config)) for each in workspaces])
    _say_where(console, figures.write(folder, figures.make_figure(name, results, priors, _metric(config))))


def _say_what_is_missing(console: rich.console.Console, trained: Trained) -> None:
    for cell, (node, reason) in trained.failed.items():
        console.print(f"failed: {cell}: {node}: {reason}", style="red", markup=False, highlight=False)
    if trained.out_of_time:
        console.print("the time is over: run the same command to go on", style="yellow", highlight=False)


def _read(workspace: str, config: Config) -> list[rows.Result]:
    return rows.read(os.path.join(folder_of(workspace, config.name), rows.FILE_NAME))


def _metric(config: Config) -> str:
    targets = config.compare.targets or list(config.targets)
    return config.compare.metric or config.targets[targets[0]].evaluation.metric


def _say_where(console: rich.console.Console, paths: Sequence[pathlib.Path]) -> None:
    for path in paths:
        console.print(str(path), markup=False, highlight=False)
