"""The results in docs/results.md: trains the cells whose rows are missing, and writes the page from the rows there are.

  python -m benchmarks.results --budget 3    # trains for three hours at most, then writes the page
  python -m benchmarks.results --budget 0    # only writes the page
  python -m benchmarks.results --headline    # prints the table of the README

The rows are checked in: benchmarks/results/ has two CSVs a data set, beside the configurations. A cell whose rows are
there is not trained again, whatever code they are of; to train it anew, delete its lines. The most informative cells
come first, seed after seed, so that there is as much of each arm whenever the time is over. As a peer for each arm
stands `entire_source`; the page has the ratios and the differences.
"""

import argparse
import itertools
import json
import os
import pathlib
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple

from benchmarks import photographs, published, result_page, result_rows
from benchmarks.result_rows import Entry
from pipeline import session
from pipeline import workspace as workspaces
from pipeline.config.load import load
from pipeline.config.run import Config
from pipeline.terminal import logs

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"


class Block(NamedTuple):
    """Cells: every arm with every seed, on one data set."""

    data: str
    arms: tuple[str, ...]
    seeds: range


CORE = ("entire_source", "same_distribution", "uniform_subsample", "random_init", "source_classifier", "warm_start")
PRESETS = (
    "elastic_distribution",
    "entire_source_total",
    "label_subset",
    "uniform_labels",
    "reversed_weights",
    "weighted_loss",
    "emd_subset",
)
TEMPERATURES = ("temperature_1", "temperature_fitted")
ESTIMATORS = ("estimator_em", "estimator_bbse")
SIZES = ("same_n_3000", "same_n_30000", "elastic_n_3000", "elastic_n_30000")
STEPS = ("entire_100_steps", "entire_1000_steps", "same_100_steps", "same_1000_steps")

# The most informative first.
BLOCKS = (
    Block("glyphs", CORE, range(3)),
    Block("photographs", CORE, range(2)),
    Block("glyphs", PRESETS, range(3)),
    Block("photographs", CORE, range(2, 3)),
    Block("glyphs", (*SIZES, *TEMPERATURES, *ESTIMATORS, *STEPS), range(3)),
    Block("photographs", CORE, range(3, 5)),
    Block("glyphs", (*CORE, *PRESETS), range(3, 5)),
    Block("glyphs", result_page.EXISTING, range(3)),
)
_PUBLISHED = {"published_finetune", "published_warm_start", "linear_probe", "knn"}  # what start from its weights
DATA = tuple(dict.fromkeys(block.data for block in BLOCKS))


def list_cells(blocks: Sequence[Block] = BLOCKS) -> list[tuple[str, str, int]]:
    """Returns (data, arm, seed) of all cells in the order in which they are trained."""
    return [(block.data, arm, seed) for block in blocks for seed in block.seeds for arm in block.arms]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark with the arguments of a command line, by default this process's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=0, metavar="HOURS", help="of training, at most")
    parser.add_argument("--workspace", default="build/results", help="what is needed again is kept here")
    parser.add_argument("--rows", default=str(result_rows.FOLDER), metavar="FOLDER", help="the folder of the CSVs")
    parser.add_argument("--page", default=str(PAGE), metavar="FILE", help="where the page is written")
    parser.add_argument("--data", choices=DATA, help="train only on this data set")
    parser.add_argument("--arms", metavar="NAME,...", help="train only these arms")
    parser.add_argument("--seeds", type=int, metavar="N", help="train only seeds below N")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as `specialist run` takes it")
    parser.add_argument("--headline", action="store_true", help="only print the table of the README")
    args = parser.parse_args(arguments)
    if args.set and os.path.abspath(args.rows) == str(result_rows.FOLDER):
        parser.error("--set: changes the results; give another folder with --rows")
    if args.headline:
        print(result_page.make_headline(result_rows.read("glyphs", args.rows)))
        return
    names = args.arms.split(",") if args.arms else None
    wanted = [
        (data, arm, seed)
        for data, arm, seed in list_cells()
        if args.data in (None, data) and (names is None or arm in names) and (args.seeds is None or seed < args.seeds)
    ]
    if args.budget > 0:
        train(wanted, os.path.abspath(args.workspace), args.rows, args.set, 3600 * args.budget)
    entries = {data: result_rows.read(data, args.rows) for data in DATA}
    pathlib.Path(args.page).write_text(result_page.make_page(entries, list_cells()), encoding="utf-8")
    print(result_page.make_headline(entries["glyphs"]))


def train(
    wanted: Sequence[tuple[str, str, int]], workspace: str, folder: str, overrides: Sequence[str], seconds: float
) -> None:
    """Trains the cells of `wanted` that have no rows in `folder`, and adds the rows of each as soon as it is finished.

    Args:
      wanted: (data, arm, seed), in the order of the training.
      workspace: absolute path of a folder that is kept for later calls.
      folder: of the CSVs.
      overrides: of both configurations, of the form key.path=value.
      seconds: no node is started that is likely to end later than this.
    """
    end = time.monotonic() + seconds
    missing = result_rows.list_missing(wanted, {data: result_rows.read(data, folder) for data in DATA})
    print(f"{len(missing)} of {len(set(wanted))} cells are missing", flush=True)
    lost = set()
    for data, cells in itertools.groupby(missing, lambda cell: cell[0]):
        if data in lost:
            continue
        try:
            group = list(cells)
            config = _load(data, {arm for _, arm, _ in group}, workspace, overrides)
        except FileNotFoundError as error:
            print(f"{data}: {error}", flush=True)
            lost.add(data)
            continue
        if _train_cells(data, config, os.path.join(workspace, data), folder, group, end - time.monotonic()):
            print("the time is over: run the same command to go on", flush=True)
            return


def _load(data: str, arms: Collection[str], workspace: str, overrides: Sequence[str]) -> Config:
    path = str(result_rows.FOLDER / f"{data}.yaml")
    if data == "glyphs" and not _PUBLISHED.isdisjoint(arms):
        weights = {"path": published.train(workspace), "source": published.SOURCE, "licence": published.LICENCE}
        return load(path, [f"backbone.weights={json.dumps(weights)}", *overrides])
    if data != "photographs":
        return load(path, overrides)
    written = os.path.join(workspace, "photographs-data")
    photographs.write(written)
    places = [
        f"source.tfrecords={written}/source-{{split}}.tfrecord",
        f"targets.clothes.data.tfrecords={written}/target-{{split}}.tfrecord",
    ]
    return load(path, [*places, *overrides])


def _train_cells(
    data: str, config: Config, workspace: str, folder: str, wanted: Sequence[tuple[str, str, int]], seconds: float
) -> bool:
    """Trains cells of one data set as `specialist compare` does; returns whether the time is over."""
    start = time.monotonic()
    with (
        workspaces.lock_workspace(workspace),
        logs.redirect_output(os.devnull) as console,
        session.end_on_signals(console, "run the same command to go on"),
        logs.write_log(os.path.join(workspace, "logs", f"results-{time.strftime('%Y-%m-%d-%H%M%S')}.log")),
    ):
        from pipeline.compare import predictions, train
        from pipeline.compare.rows import Cell, Result
        from pipeline.nodes import ingest
        from pipeline.place import Place

        target = next(iter(config.targets))
        cells = [Cell(target, arm, config.seed + seed, None, config.finetune.learning_rate) for _, arm, seed in wanted]
        ingest.prepare(config, lambda activity: logs.show_waiting(console, activity))
        plan = train.plan(config, workspace, cells)
        keys = {} if plan.nodes is None else plan.nodes.keys()
        session.write_policies(config, Place.local(workspace))
        entries = result_rows.read(data, folder)
        origin = result_rows.find_origin()

        def add(cell: Cell, result: Result) -> None:
            entry: Entry = result_rows.make_entry(result, predictions.read(plan.store.folder, cell), origin)
            entries[cell.arm, cell.seed] = entry
            result_rows.write(data, entries.values(), folder)
            value = result.metrics["test", "accuracy"]
            console.print(
                f"{time.strftime('%H:%M')} {data}: {cell}: {value:.4f}, {result.seconds:.0f} s", highlight=False
            )

        for cell, result in plan.finished.items():
            add(cell, result)

        def save(_: train.Progress) -> None:
            for cell in keys:
                if (cell.arm, cell.seed) not in entries and (result := plan.store.read(cell, keys[cell])) is not None:
                    add(cell, result)

        remaining = seconds - (time.monotonic() - start)
        trained = train.train_cells(config, plan, seconds=remaining, on_progress=save)
        for cell, (node, reason) in trained.failed.items():
            console.print(f"failed: {cell}: {node}: {reason}", markup=False, highlight=False)
    return trained.out_of_time


if __name__ == "__main__":
    main()
