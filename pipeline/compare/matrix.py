"""The cells of a comparison, and the pipeline that trains them."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import pipeline as tfx_pipeline

from pipeline import pipeline as pipeline_module
from pipeline.compare.rows import Cell
from pipeline.config.arms import PRESETS
from pipeline.config.run import Config
from pipeline.nodes import arms
from pipeline.nodes.adapt import Adaptation, adapt
from pipeline.nodes.ingest import ingest
from pipeline.nodes.registry import Registry
from pipeline.nodes.report import COMPARISON, add_report
from pipeline.place import Place

_SEEDS = 1 << 32  # the number of seeds that there are
_PLACES = ("checkpoints", "working")  # properties that are folders in the workspace


@dataclasses.dataclass(frozen=True)
class Matrix:
    """The cells of a comparison.

    Attributes:
      cells: in the order in which they are trained: seed after seed, so that a comparison which is stopped has as many
        seeds of each arm.
      lacking: target → arm → what it lacks: a setting, or a package; such arms have no cells.
    """

    cells: tuple[Cell, ...]
    lacking: Mapping[str, Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Nodes:
    """The pipeline that trains cells.

    Attributes:
      pipeline: of all of them.
      cells: cell → its nodes.
      classifiers: cell → the source classifier that its prior and its start are of, if it needs one.
      order: the ids of all nodes, such that cell after cell is trained.
      described: what the report is told of the cells, and of those that were finished before; empty without a report.
    """

    pipeline: tfx_pipeline.Pipeline
    cells: Mapping[Cell, arms.ArmNodes]
    classifiers: Mapping[Cell, BaseNode]
    order: tuple[str, ...]
    described: tuple[Mapping[str, Any], ...] = ()

    def keys(self) -> dict[Cell, str]:
        """Returns, for each cell, a hash of all that its result depends on."""
        by_id = {node.id: node for node in self.pipeline.components}
        digests: dict[str, str] = {}
        return {cell: _digest(made.finetune, by_id, digests) for cell, made in self.cells.items()}


def list_cells(config: Config) -> Matrix:
    """Returns the cells that the section `compare` of `config` asks for.

    Raises:
      ValueError: the reference is not one of a target's arms, an arm that is named lacks a setting, a seed is too
        large, or the classifier should vary and is not trained.
    """
    settings = config.compare
    if config.seed + settings.seeds > _SEEDS:
        raise ValueError(
            f"seed: {config.seed}, from which compare.seeds: {settings.seeds} counts up, past {_SEEDS - 1}; choose a "
            "smaller seed"
        )
    if "classifier" in settings.vary and config.trained_classifier is None:
        raise ValueError(
            "compare.vary: has classifier, but that exists already and is the same for all seeds; take it out"
        )
    targets = settings.targets or list(config.targets)
    lacking: dict[str, dict[str, str]] = {}
    chosen = {}
    for target in targets:
        names = settings.arms or config.targets[target].arms
        if names == "all":
            missing = {name: _find_lacking(config, target, name) for name in (*PRESETS, *config.arms)}
            lacking[target] = {name: what for name, what in missing.items() if what}
            names = [name for name in missing if name not in lacking[target]]
        for name in names:
            if key := config.find_missing(target, name):
                raise ValueError(f"compare.arms: {name} needs {key}; set it, or leave the arm out")
        if settings.reference not in names:
            raise ValueError(
                f"compare.reference: {settings.reference!r} is not one of the arms of {target}, {', '.join(names)}; "
                "add it, or choose one of them"
            )
        chosen[target] = names
    metrics = {config.targets[target].evaluation.metric for target in chosen}
    if settings.metric is None and len(metrics) > 1:
        raise ValueError(f"compare.metric: the targets have {' and '.join(sorted(metrics))}; set it, to compare by one")
    rates = settings.learning_rates or [config.finetune.learning_rate]
    cells = [
        Cell(target, arm, config.seed + i, shots, rate)
        for i in range(settings.seeds)
        for target, names in chosen.items()
        for arm in names
        for shots in (*settings.shots, None)
        for rate in rates  # a probe has none, but all arms are chosen from the rates that all of them have
    ]
    return Matrix(tuple(cells), lacking)


def _find_lacking(config: Config, target: str, arm: str) -> str | None:
    """Returns what an arm needs on a target and has not; None: nothing."""
    if key := config.find_missing(target, arm):
        return key
    if refusal := config.find_refusal(arm):
        return refusal
    matcher = config.matcher(target, arm)
    try:
        if matcher is not None:
            matcher.check(0 if matcher.takes_all else config.sample_size(arm))
    except ModuleNotFoundError as error:
        return str(error)
    return None


def create_nodes(
    config: Config,
    place: Place,
    cells: Iterable[Cell],
    *,
    keep_models: bool = False,
    finished: Mapping[Cell, str] | None = None,
) -> Nodes:
    """Returns the pipeline that trains `cells`, in a place that runs may share.

    Args:
      config: the configuration.
      place: where its files are.
      cells: some of those that `list_cells` returns, in the order of the training.
      keep_models: whether the models stay when the results are known. If not, only what is needed of them is written.
      finished: other cells with their keys, whose results are kept, and of which the report tells, too. None: the
        pipeline has no report.

    Raises:
      ValueError, ModuleNotFoundError: as `pipeline.pipeline.create_pipeline`.
    """
    cells, configured = list(cells), config
    # Only what the cells need is checked; all targets are read, for each excludes its images from the source.
    config = config.model_copy(
        update={
            "targets": {
                name: target.model_copy(
                    update={"arms": list({cell.arm: None for cell in cells if cell.target == name}), "push": None}
                )
                for name, target in config.targets.items()
            }
        }
    )
    nodes = Registry()
    ingested = ingest(nodes, config, place)
    early_filters = pipeline_module.start_filters(nodes, config, place, ingested)
    varies = config.compare.vary
    by_embeddings = config.near_duplicates.embeddings is not None
    needed = any(config.arm(cell.arm).needs_classifier() for cell in cells)
    first, filters = None, early_filters
    if by_embeddings or (needed and "classifier" not in varies):
        first = adapt(nodes, config, place, ingested, early_filters, all_splits=by_embeddings)
        filters = pipeline_module.finish_filters(nodes, config, place, ingested, early_filters, first)

    def adapt_to(seed: int) -> Adaptation | None:
        if not needed or "classifier" not in varies:
            return first
        own = config.model_copy(update={"seed": seed})
        return adapt(nodes, own, place, ingested, early_filters, part=f"s{seed}")

    made: dict[Cell, arms.ArmNodes] = {}
    classifiers: dict[Cell, BaseNode] = {}
    for cell in cells:
        adaptation = adapt_to(cell.seed)
        basis = arms.Basis(config, place, ingested, early_filters, filters, adaptation)
        replicate = arms.Replicate(
            cell.seed, cell.learning_rate, basis_part=f"s{cell.seed}" if varies else "", keep_models=keep_models
        )
        replicate = arms.choose_images(
            nodes, basis, cell.target, replicate, shots=cell.shots, redraw="target_train" in varies
        )
        made[cell] = arms.make_arm(nodes, basis, cell.target, cell.arm, replicate)
        if adaptation is not None and config.arm(cell.arm).needs_classifier():
            classifiers[cell] = adaptation.classifier
    selected = nodes.select(arm.finetune for arm in made.values())
    described: list[dict[str, Any]] = []
    if finished is not None:
        described = _describe_cells(selected, made, classifiers)
        described += [{**dataclasses.asdict(cell), "key": key} for cell, key in finished.items()]
        add_report(selected, configured, place, COMPARISON, cells=described)
    order = tuple(node.id for node in selected)
    return Nodes(pipeline_module.assemble(selected, config, place), made, classifiers, order, tuple(described))


def _describe_cells(
    nodes: Registry, made: Mapping[Cell, arms.ArmNodes], classifiers: Mapping[Cell, BaseNode]
) -> list[dict[str, Any]]:
    """Returns the cells as JSON-like values: each with its key and its nodes, for the report."""
    by_id = {node.id: node for node in nodes}
    digests: dict[str, str] = {}
    return [
        {
            **dataclasses.asdict(cell),
            "key": _digest(each.finetune, by_id, digests),
            "finetune": each.finetune.id,
            "specialist": each.specialist.id if each.specialist is not None else None,
            "classifier": classifiers[cell].id if cell in classifiers else None,
        }
        for cell, each in made.items()
    ]


def _digest(node: BaseNode, by_id: Mapping[str, BaseNode], digests: dict[str, str]) -> str:
    """Returns a hash of what a node does, and of all nodes that it needs.

    Args:
      node: a node.
      by_id: all nodes.
      digests: id → hash of nodes that were seen; this function adds to it.
    """
    if node.id not in digests:
        inputs = {
            key: sorted(_digest(by_id[name], by_id, digests) for name in channel.get_data_dependent_node_ids())
            for key, channel in node.inputs.items()
        }
        properties: dict[str, Any] = {
            key: str(value) for key, value in node.exec_properties.items() if key not in _PLACES
        }
        if "custom_config" in properties:  # of a Trainer; what it exports does not change the result
            settings = json.loads(properties["custom_config"])
            properties["custom_config"] = {key: value for key, value in settings.items() if key != "formats"}
        content = [type(node).__name__, properties, inputs]
        digests[node.id] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return digests[node.id]
