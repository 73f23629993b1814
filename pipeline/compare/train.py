"""Trains the cells of a comparison that are not finished, and keeps each result as soon as it is there."""

import collections
import dataclasses
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from pipeline import metadata_file
from pipeline.compare import matrix
from pipeline.compare.rows import Cell, Result
from pipeline.compare.store import Store
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.arms import ArmNodes
from pipeline.results import record
from pipeline.runners import local
from pipeline.runners.local import NodeResult, State
from trainer.run import METRICS_FILE

_METRICS = ("accuracy", "mean_per_class_accuracy", "cross_entropy")
_ENDED_WELL = (State.DONE, State.REUSED)


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a comparison is.

    Attributes:
      finished, cells: the number of finished cells, and of all.
      seconds_left: until the end, as the nodes so far let expect; None: nothing is known yet.
    """

    finished: int
    cells: int
    seconds_left: float | None


@dataclasses.dataclass(frozen=True)
class Trained:
    """What is known of a comparison's cells.

    Attributes:
      results: of the finished cells, in the order of the matrix.
      failed: cell that failed → the node that failed, and why.
      nodes: the nodes that ran or were reused this time.
      out_of_time: whether the training ended because its time was over.
    """

    results: tuple[Result, ...]
    failed: Mapping[Cell, tuple[str, str]]
    nodes: tuple[NodeResult, ...]
    out_of_time: bool = False


class OutOfTime(Exception):  # noqa: N818 - it is no error
    """The time that a comparison may take is over."""


def find_finished(config: Config, workspace: str, cells: Sequence[Cell], store: Store) -> dict[Cell, Result]:
    """Returns the results of those of the `cells` that are finished, and up to date."""
    keys = matrix.create_nodes(config, workspace, cells).keys()
    return {cell: result for cell in cells if (result := store.read(cell, keys[cell])) is not None}


def train_cells(
    config: Config,
    workspace: str,
    cells: Sequence[Cell],
    store: Store,
    *,
    seconds: float | None = None,
    keep_models: bool = False,
    on_start: Callable[[str], None] = lambda node: None,
    on_end: Callable[[NodeResult], None] = lambda result: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Trains those of the `cells` that are not finished. Those that fail do not stop the others.

    Args:
      config: the configuration.
      workspace: an absolute path.
      cells: in the order of the training.
      store: where finished cells are kept.
      seconds: no node is started that is likely to end later than this; None: all are.
      keep_models: whether the models of finished cells stay.
      on_start, on_end: called before and after each node.
      on_progress: called after each cell.
    """
    finished = find_finished(config, workspace, cells, store)
    remaining = [cell for cell in cells if cell not in finished]
    if not remaining:
        return Trained(tuple(finished.values()), {}, ())
    nodes = matrix.create_nodes(config, workspace, remaining, keep_models=keep_models)
    run = _Run(config, workspace, nodes, store, keep_models)
    start = time.monotonic()
    out_of_time = False

    def begin(node: str) -> None:
        if seconds is not None and time.monotonic() - start + run.expect(node) > seconds:
            raise OutOfTime
        on_start(node)

    def end(result: NodeResult) -> None:
        cell = run.end(result)
        on_end(result)
        if cell is not None:
            on_progress(Progress(len(finished) + len(run.results), len(cells), run.seconds_left()))

    try:
        local.run(run.nodes.pipeline, order=run.nodes.order, on_start=begin, on_end=end)
    except OutOfTime:
        out_of_time = True
    known = {**finished, **run.results}
    results = tuple(known[cell] for cell in cells if cell in known)
    return Trained(results, run.find_failed(), tuple(run.ended.values()), out_of_time)


class _Run:
    def __init__(self, config: Config, workspace: str, nodes: matrix.Nodes, store: Store, keep_models: bool):
        self._config, self._workspace, self._store, self._keep_models = config, workspace, store, keep_models
        self.nodes = nodes
        self.ended: dict[str, NodeResult] = {}
        self.results: dict[Cell, Result] = {}
        self._keys = nodes.keys()
        self._needs = {node.id: {other.id for other in node.upstream_nodes} for node in nodes.pipeline.components}
        self._cells = {made.finetune.id: cell for cell, made in nodes.cells.items()}
        self._users = collections.defaultdict(set)  # specialist → the fine-tunings that need it
        for made in nodes.cells.values():
            if made.specialist is not None:
                self._users[made.specialist.id].add(made.finetune.id)
        self._earlier_seconds = {**_read_seconds(workspace), **store.seconds()}
        self._durations: dict[str, list[float]] = collections.defaultdict(list)

    def end(self, result: NodeResult) -> Cell | None:
        """Notes the result of a node; returns the cell that is finished by it, if one is."""
        self.ended[result.node] = result
        if result.state is State.DONE:
            self._durations[ids.kind_of(result.node)].append(result.seconds)
            self._store.note_seconds((uri for uris in result.uris().values() for uri in uris), result.seconds)
        cell = self._cells.get(result.node)
        if cell is None or result.state not in _ENDED_WELL:
            return None
        model_run = result.uris()["model_run"][0]
        self.results[cell] = self._make_result(cell, model_run)
        self._store.write(self.results[cell], self._keys[cell], model_run)
        if not self._keep_models:
            self._remove_models(self.nodes.cells[cell])
        return cell

    def expect(self, node: str) -> float:
        """Returns how many seconds `node` is likely to take; 0: nothing is known."""
        known = self._durations[ids.kind_of(node)]
        return statistics.median(known) if known else 0.0

    def seconds_left(self) -> float | None:
        """Returns how many seconds the nodes that have not ended are likely to take."""
        waiting = [node for node in self.nodes.order if node not in self.ended]
        kinds = {ids.kind_of(node) for node in waiting if ids.kind_of(node) in (ids.SPECIALIST, ids.FINETUNE)}
        if any(not self._durations[kind] for kind in kinds):
            return None
        return sum(map(self.expect, waiting))

    def find_failed(self) -> dict[Cell, tuple[str, str]]:
        """Returns the cells that cannot be finished, each with the node that failed, and why."""
        lost = {name for name, result in self.ended.items() if result.state in (State.FAILED, State.BLOCKED)}
        failed = {}
        for end, cell in self._cells.items():
            name = end
            while name in lost and (blockers := sorted(lost & self._needs[name])):
                name = blockers[0]
            if name in lost:
                failed[cell] = name, str(self.ended[name].error)
        return failed

    def _make_result(self, cell: Cell, model_run: str) -> Result:
        config, made = self._config, self.nodes.cells[cell]
        arm, recipe = config.arm(cell.arm), config.pretrain_of(cell.arm)
        with open(os.path.join(model_run, METRICS_FILE), encoding="utf-8") as file:
            metrics = json.load(file)
        finetune = self._seconds(made.finetune.id)
        is_pretrained = recipe is not None and made.specialist is not None
        pretrain = self._seconds(made.specialist.id) if is_pretrained and made.specialist else 0.0
        classifier = self.nodes.classifiers[cell].id
        needs_classifier = arm.needs_classifier()
        return Result(
            cell=cell,
            backbone=config.backbone.name,
            matcher=arm.matcher or "",
            start=arm.start,
            n=config.sample_size(cell.arm) if arm.kind is not None and not arm.kind.takes_all else 0,
            steps=recipe.steps if recipe else 0,
            images=recipe.steps * recipe.batch_size if recipe else 0,
            classifier_images=config.classifier.steps * config.classifier.batch_size if needs_classifier else 0,
            seconds=pretrain + finetune,
            finetune_seconds=finetune,
            classifier_seconds=self._seconds(classifier) if needs_classifier else 0.0,
            settings=json.dumps(self._list_settings(cell), sort_keys=True),
            metrics={(split, name): found[name] for split, found in metrics.items() for name in _METRICS},
        )

    def _list_settings(self, cell: Cell) -> dict[str, object]:
        """Returns the settings of the prior and the matcher that differ from the defaults."""
        config, arm = self._config, self._config.arm(cell.arm)
        matcher = config.matcher(cell.target, cell.arm)
        found = matcher.model_dump(exclude_defaults=True) if matcher else {}
        if arm.depends_on_target():
            found |= config.prior_of(cell.arm).model_dump(exclude_defaults=True)
        return found

    def _seconds(self, node: str) -> float:
        result = self.ended[node]
        if result.state is State.DONE:
            return result.seconds
        uris = [uri for uris in result.uris().values() for uri in uris]
        return next((self._earlier_seconds[uri] for uri in uris if uri in self._earlier_seconds), 0.0)

    def _remove_models(self, made: ArmNodes) -> None:
        """Removes the model of a finished cell, and that of its specialist if no other cell needs it."""
        ends = [made.finetune.id]
        if made.specialist is not None and made.specialist is not self.nodes.classifiers.get(
            self._cells[made.finetune.id]
        ):
            users = self._users[made.specialist.id]
            users.discard(made.finetune.id)
            ends += [] if users else [made.specialist.id]
        uris = [uri for node in ends for uri in self.ended[node].uris()["model"]]
        metadata_file.forget(self._workspace, uris)
        for uri in uris:
            shutil.rmtree(uri, ignore_errors=True)


def _read_seconds(workspace: str) -> dict[str, float]:
    """Returns URI → seconds of the nodes that runs of the workspace ran."""
    try:
        records = record.read_all(workspace)
    except ValueError:  # there is none
        return {}
    return {
        uri: node.seconds
        for run in records.values()
        for node in run.nodes.values()
        if node.state == State.DONE.value
        for uris in node.outputs.values()
        for uri in uris
    }
