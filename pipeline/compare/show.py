"""What `specialist compare` prints and writes besides the lines of its nodes."""

import collections
import os

import rich.console

from pipeline.compare import comparison, files
from pipeline.compare import report as reports
from pipeline.compare.matrix import Matrix
from pipeline.compare.rows import FILE_NAME, write
from pipeline.compare.train import Plan, Progress, Trained
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.terminal.progress import format_time


def show_plan(console: rich.console.Console, matrix: Matrix, plan: Plan) -> None:
    """Prints how much there is to do, and which arms are left out."""
    for target, lacking in matrix.lacking.items():
        for arm, key in lacking.items():
            console.print(
                f"{target}: without {arm}, which needs targets.{target}.{key}", style="yellow", highlight=False
            )
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
        return
    path = os.path.join(folder, FILE_NAME)
    write(path, trained.results)
    settings = config.compare
    targets = list({result.cell.target: None for result in trained.results})
    metric = settings.metric or config.targets[targets[0]].evaluation.metric
    pushed = {name: target.push for name, target in config.targets.items() if target.push}
    pages = []
    for shots in sorted({result.cell.shots for result in trained.results}, key=lambda shots: shots or 1 << 31):
        try:
            outcome = comparison.compare_arms(
                trained.results,
                folder,
                settings.reference,
                metric=metric,
                shots=shots,
                equivalence=settings.equivalence,
                varied_classifier="classifier" in settings.vary,
            )
        except ValueError as error:
            console.print(str(error), style="yellow", markup=False, highlight=False)
            continue
        reports.show(console, outcome, pushed)
        pages.append(reports.to_markdown(outcome, pushed))
    page = os.path.join(folder, reports.FILE_NAME)
    files.write_text(page, "\n".join(pages))
    for cell, (node, reason) in trained.failed.items():
        console.print(f"failed: {cell}: {node}: {reason}", style="red", markup=False, highlight=False)
    if trained.out_of_time:
        console.print("the time is over: run the same command to go on", style="yellow", highlight=False)
    console.print(f"\nresults: {path}\nreport:  {page}", markup=False, highlight=False)
