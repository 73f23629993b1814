"""Trains the cells of a comparison that are not finished, and keeps each result as soon as it is there."""

import collections
import dataclasses
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from pipeline import metadata_file, record
from pipeline.compare import matrix
from pipeline.compare.results import make_result
from pipeline.compare.rows import Cell, Result
from pipeline.compare.store import Store, folder_of
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.arms import ArmNodes
from pipeline.place import Place
from pipeline.runners import local
from pipeline.runners.local import NodeResult, State

_PARAMETER_BYTES = 4
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


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a comparison has, and what it trains.

    Attributes:
      workspace: its folder.
      store: where finished cells are kept.
      cells: all, in the order of the training.
      finished: those whose results are there, and up to date.
      nodes: the pipeline of the others; None: there are none.
      keep_models: whether the models of finished cells stay.
      bytes: what the models and checkpoints of the trainings take on the disk at most, at once.
    """

    workspace: str
    store: Store
    cells: tuple[Cell, ...]
    finished: Mapping[Cell, Result]
    nodes: matrix.Nodes | None
    keep_models: bool
    bytes: float


def plan(config: Config, workspace: str, cells: Sequence[Cell], *, keep_models: bool = False) -> Plan:
    """Returns what has to be trained for the results of `cells`.

    Raises:
      ValueError: the disk is too small for it; or as `matrix.create_nodes`.
    """
    store = Store(folder_of(workspace, config.name))
    place = Place.local(workspace)
    keys = matrix.create_nodes(config, place, cells).keys()
    finished = {cell: result for cell in cells if (result := store.read(cell, keys[cell])) is not None}
    remaining = [cell for cell in cells if cell not in finished]
    if not remaining:
        return Plan(workspace, store, tuple(cells), finished, None, keep_models, 0.0)
    nodes = matrix.create_nodes(config, place, remaining, keep_models=keep_models)
    needed = _count_bytes(config, nodes, keep_models)
    free = shutil.disk_usage(workspace).free
    if needed > free:
        raise ValueError(
            f"--workspace: {workspace} has {free / 1e9:,.1f} GB left, and the comparison needs up to "
            f"{needed / 1e9:,.1f} GB for its models; make room, or name another folder"
        )
    return Plan(workspace, store, tuple(cells), finished, nodes, keep_models, needed)


def train_cells(
    config: Config,
    plan: Plan,
    *,
    seconds: float | None = None,
    on_start: Callable[[str], None] = lambda node: None,
    on_end: Callable[[NodeResult], None] = lambda result: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Trains the cells that are not finished. Those that fail do not stop the others.

    Args:
      config: the configuration.
      plan: what is trained.
      seconds: no node is started that is likely to end later than this; None: all are.
      on_start, on_end: called before and after each node.
      on_progress: called after each cell.
    """
    if plan.nodes is None:
        return Trained(tuple(plan.finished.values()), {}, ())
    run = _Run(config, plan, plan.nodes)
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
            on_progress(Progress(len(plan.finished) + len(run.results), len(plan.cells), run.seconds_left()))

    try:
        local.run(plan.nodes.pipeline, order=plan.nodes.order, on_start=begin, on_end=end)
    except OutOfTime:
        out_of_time = True
    known = {**plan.finished, **run.results}
    results = tuple(known[cell] for cell in plan.cells if cell in known)
    return Trained(results, run.find_failed(), tuple(run.ended.values()), out_of_time)


class _Run:
    def __init__(self, config: Config, plan: Plan, nodes: matrix.Nodes):
        self._config, self._plan, self._store, self.nodes = config, plan, plan.store, nodes
        self.ended: dict[str, NodeResult] = {}
        self.results: dict[Cell, Result] = {}
        self._keys = nodes.keys()
        self._needs = {node.id: {other.id for other in node.upstream_nodes} for node in nodes.pipeline.components}
        self._cells = {made.finetune.id: cell for cell, made in nodes.cells.items()}
        self._users = collections.defaultdict(set)  # specialist → the fine-tunings that need it
        for made in nodes.cells.values():
            if specialist := _pretrained_for(made):
                self._users[specialist].add(made.finetune.id)
        self._earlier_seconds = {**_read_seconds(plan.workspace), **plan.store.seconds()}
        self._durations: dict[str, list[float]] = collections.defaultdict(list)

    def end(self, result: NodeResult) -> Cell | None:
        """Notes the result of a node; returns the cell that is finished by it, if one is."""
        self.ended[result.node] = result
        if result.state is State.DONE:
            self._durations[ids.kind_of(result.node)].append(result.seconds)
            self._store.note_seconds((uri for uris in result.uris().values() for uri in uris), result.seconds)
        if ids.kind_of(result.node) == ids.PRIOR and result.state in _ENDED_WELL:
            self._store.keep_prior(result.node, result.uris()["label_prior"][0])
        cell = self._cells.get(result.node)
        if cell is None or result.state not in _ENDED_WELL:
            return None
        model_run = result.uris()["model_run"][0]
        self.results[cell] = self._make_result(cell, model_run)
        self._store.write(self.results[cell], self._keys[cell], model_run)
        if not self._plan.keep_models:
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
        made, classifier = self.nodes.cells[cell], self.nodes.classifiers.get(cell)
        specialist = _pretrained_for(made)
        return make_result(
            self._config,
            cell,
            model_run,
            pretrain_seconds=self._seconds(specialist) if specialist else 0.0,
            finetune_seconds=self._seconds(made.finetune.id),
            classifier_seconds=self._seconds(classifier.id) if classifier else 0.0,
        )

    def _seconds(self, node: str) -> float:
        result = self.ended[node]
        if result.state is State.DONE:
            return result.seconds
        uris = [uri for uris in result.uris().values() for uri in uris]
        return next((self._earlier_seconds[uri] for uri in uris if uri in self._earlier_seconds), 0.0)

    def _remove_models(self, made: ArmNodes) -> None:
        """Removes the model of a finished cell, and that of its specialist and its sample if no other cell needs it."""
        ends = [made.finetune.id]
        if specialist := _pretrained_for(made):
            users = self._users[specialist]
            users.discard(made.finetune.id)
            samples = [node for node in self._needs[specialist] if ids.kind_of(node) == ids.RESAMPLE]
            ends += [] if users else [specialist, *samples]
        outputs = [self.ended[node].uris() for node in ends]
        uris = [uri for named in outputs for key in ("model", "resampled_examples") for uri in named.get(key, [])]
        metadata_file.forget(self._plan.workspace, uris)
        for uri in uris:
            shutil.rmtree(uri, ignore_errors=True)


def _pretrained_for(made: ArmNodes) -> str | None:
    """Returns the id of the pre-training of an arm; None: it starts from a network that is there anyway."""
    if made.specialist is None or ids.kind_of(made.specialist.id) != ids.SPECIALIST:
        return None
    return made.specialist.id


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


def _count_bytes(config: Config, nodes: matrix.Nodes, keep_models: bool) -> float:
    """Returns the bytes of models and checkpoints that are on the disk at once, at most."""
    model = _PARAMETER_BYTES * config.backbone.build(config.image).count_params()
    kinds = collections.Counter(map(ids.kind_of, nodes.order))
    if keep_models:  # a SavedModel and a Keras file each
        models = 2 * (kinds[ids.SPECIALIST] + kinds[ids.FINETUNE])
    else:  # Keras files of one seed's specialists
        models = -(-kinds[ids.SPECIALIST] // len({cell.seed for cell in nodes.cells}))
    # Of a classifier both; of a checkpoint the weights, their momentum, and the average or the best weights.
    return model * (models + 2 * kinds[ids.CLASSIFIER_KIND] + 4 * (config.checkpoint.keep + 1))
