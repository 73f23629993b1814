"""The report on a comparison."""

import dataclasses
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from components.artifacts.label_prior import LabelPrior
from components.transfer_report import block
from components.transfer_report.executor import ReportArgs
from pipeline.compare import advice, comparison, predictions, report
from pipeline.compare import arms as arms_module
from pipeline.compare.results import make_result, metric_of
from pipeline.compare.rows import Cell, Result
from pipeline.compare.store import Store, folder_of
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.report import about, arms, curves, data, inputs, paired, paper, source_labels, steps, target
from pipeline.report.inputs import Inputs
from pipeline.report.target import Shared


@dataclasses.dataclass(frozen=True)
class Planned:
    """A cell that a comparison wants.

    Attributes:
      cell: the training.
      key: of all that its result depends on.
      finetune: the node that gives the result; None: it was finished before.
      specialist: the node whose model it starts from.
      classifier: the node of the source classifier that it needs.
    """

    cell: Cell
    key: str
    finetune: str | None = None
    specialist: str | None = None
    classifier: str | None = None


def report_fn(args: ReportArgs) -> block.Block:
    """Returns the data block of the comparison that a TransferReport is a node of."""
    found = inputs.from_args(args)
    planned = [read_planned(each) for each in args.settings["cells"]]
    if found.workspace is not None:  # where each result is kept as soon as it is there
        folder = folder_of(found.workspace, found.config.name)
        return collect(found, planned, _read_results(planned, folder), folder)
    with tempfile.TemporaryDirectory() as folder:
        _keep_results(found, planned, folder)
        return collect(found, planned, _read_results(planned, folder), folder)


def collect(found: Inputs, planned: Sequence[Planned], results: Sequence[Result], folder: str) -> block.Block:
    """Returns the data block of a comparison.

    Args:
      found: what the report is made of.
      planned: the cells, in their order.
      results: of those that are finished.
      folder: that of their predictions and of label priors; see `pipeline.compare.store`.
    """
    store, shared = Store(folder), Shared.of(found)
    source = target.read_source(shared)
    names = list(dict.fromkeys(each.cell.target for each in planned))
    missing = _list_missing(found, planned, {result.cell for result in results}, source)
    outcome, notes = _compare(found.config, results, folder)
    shown = {name: _read_prior(found, store, name) for name in names}
    targets = {
        name: _collect_target(shared, name, source, planned, results, outcome, shown[name], folder) for name in names
    }
    return about.make_block(
        found,
        "comparison",
        source=source,
        targets=targets,
        missing=missing,
        seeds=sorted({each.cell.seed for each in planned}),
        mean=arms.describe_means(outcome),
        caveats=report.list_caveats(outcome) if outcome else (),
        notes=notes,
    )


def read_planned(value: Mapping[str, Any]) -> Planned:
    """Returns the cell that `pipeline.compare.matrix.create_nodes` has described."""
    names = [field.name for field in dataclasses.fields(Cell)]
    others = {key: each for key, each in value.items() if key not in names}
    return Planned(Cell(*(value[name] for name in names)), **others)


def _read_results(planned: Sequence[Planned], folder: str) -> list[Result]:
    store = Store(folder)
    return [result for each in planned if (result := store.read(each.cell, each.key)) is not None]


def _keep_results(found: Inputs, planned: Sequence[Planned], folder: str) -> None:
    """Writes the results that the inputs have to `folder`, as a comparison on this machine keeps them."""
    store = Store(folder)
    for each in planned:
        model_run = found.uri(each.finetune or "", "model_run")
        if model_run is None:
            continue
        own = each.specialist if each.specialist != each.classifier else None
        result = make_result(
            found.config,
            each.cell,
            model_run,
            pretrain_seconds=found.seconds_of(own or "", "model_run"),
            finetune_seconds=found.seconds_of(each.finetune or "", "model_run"),
            classifier_seconds=found.seconds_of(each.classifier or "", "model_run"),
        )
        store.write(result, each.key, model_run)


def _compare(config: Config, results: Sequence[Result], folder: str) -> tuple[comparison.Outcome | None, list[str]]:
    """Returns how the arms compare with all train images or, without results of them, with the most, and notes."""
    if not results:
        return None, ["No cell is finished: there is nothing to compare."]
    shots, settings = arms_module.list_shots(results)[-1], config.compare
    notes = [] if shots is None else [f"Fine-tuned with {shots} images a class."]
    names = list(dict.fromkeys(result.cell.arm for result in results if result.cell.shots == shots))
    reference = settings.reference if settings.reference in names else names[0]
    if reference != settings.reference:
        notes.append(f"{settings.reference}, the reference, has no result; the arms are compared with {reference}.")
    try:
        outcome = comparison.compare_arms(
            results,
            folder,
            reference,
            metric=settings.metric or metric_of(config, results[0].cell.target),
            shots=shots,
            equivalence=settings.equivalence,
            varied_classifier="classifier" in settings.vary,
        )
    except ValueError as error:  # predictions that do not belong to the results: all else can be shown
        return None, [*notes, str(error)]
    return outcome, notes


def _list_missing(
    found: Inputs, planned: Sequence[Planned], finished: set[Cell], source: block.Source | None
) -> list[block.Missing]:
    missing, read = [], ids.side_node(ids.SOURCE, ids.EXAMPLES)
    if source is None and read in found.nodes:  # else no arm needs it
        missing.append(block.Missing("the source data", found.why_missing(read)))
    for each in planned:
        if each.cell not in finished:
            why = found.why_missing(each.finetune) if each.finetune else "it has not been trained"
            missing.append(block.Missing(str(each.cell), why, each.cell.target))
    return missing


def _read_prior(found: Inputs, store: Store, name: str) -> LabelPrior | None:
    """Returns the label prior of a target: of several seeds that of the first."""
    if kept := store.read_priors([name]):
        return kept[name]
    nodes = [node for node in found.nodes if ids.kind_of(node) == ids.PRIOR and node.startswith(f"{name}-")]
    return next((prior for node in nodes if (prior := target.read_prior(found, node)) is not None), None)


def _collect_target(
    shared: Shared,
    name: str,
    source: block.Source | None,
    planned: Sequence[Planned],
    results: Sequence[Result],
    outcome: comparison.Outcome | None,
    prior: LabelPrior | None,
    folder: str,
) -> block.Target:
    found, config = shared.inputs, shared.inputs.config
    classes = data.read_vocabulary(found, name)
    class_names = classes.names if classes else ()
    names = list(dict.fromkeys(each.cell.arm for each in planned if each.cell.target == name))
    of_target = outcome.targets.get(name) if outcome else None
    best = of_target.best if of_target else None
    metric, split = config.compare.metric or metric_of(config, name), config.targets[name].reported_split
    of_results = [result for result in results if result.cell.target == name]
    lacks = len(of_results) < sum(each.cell.target == name for each in planned)
    plans = _read_plans(found, name, names)
    shown = best if best in plans else next(iter(plans), None)
    pushed = config.targets[name].push
    described = source_labels.describe(shared, name, prior, _find_predictor(found, name), class_names, plans, shown)
    known = arms.Known(source, described.achieved, _pair_arms(of_target, outcome, folder))
    return block.Target(
        name=name,
        split=of_target.split if of_target else split,
        metric=metric,
        verdict=block.Verdict(
            arm=best,
            sentences=advice.advise(outcome, name, pushed) if outcome and of_target else (),
            next_steps=steps.suggest_steps(config, name, outcome, kind="comparison", served=None, missing=lacks),
            pushed_arm=pushed,
            why_not="a comparison pushes no model",
        ),
        arms=arms.describe_arms(config, name, names, outcome, known),
        **vars(described),
        **target.describe_data(shared, name, class_names),
        curves=target.read_curves(found, _list_trainings(planned, name)),
        confusion=_read_confusion(shared, name, of_target, folder, class_names),
        tables=paper.fill_tables(of_results, metric),
        figures=paper.draw_figures(of_results, metric),
        facts=arms.find_facts(config, name, best),
    )


def _read_plans(found: Inputs, name: str, names: Sequence[str]) -> dict[str, pa.Table]:
    """Returns arm → the labels of its sample, of several seeds that of the first."""
    plans = {}
    for arm in names:
        shared = found.config.shared_settings(name, arm)
        # The part of the id that sets seeds apart stands before the kind.
        start = re.escape(ids.sample_node(name, arm, ids.RESAMPLE, shared).removesuffix(ids.RESAMPLE))
        nodes = [node for node in found.nodes if re.fullmatch(rf"{start}s[0-9]+(-.*)?-{ids.RESAMPLE}", node)]
        for node in sorted(nodes, key=len):
            table = target.read_plan(found, node)
            if table is not None:
                plans[arm] = table
                break
    return plans


def _find_predictor(found: Inputs, name: str) -> str:
    """Returns the node that predicts a target's images, of several seeds that of the first."""
    nodes = [node for node in found.nodes if node.startswith(f"{name}-") and ids.kind_of(node) == ids.PREDICTIONS]
    return next((node for node in nodes if found.uri(node, "predictions")), ids.side_node(name, ids.PREDICTIONS))


def _list_trainings(planned: Sequence[Planned], name: str) -> dict[str, str]:
    """Returns node → what it trains, of a target's cells with the first seed."""
    of_target = [each for each in planned if each.cell.target == name and each.finetune]
    first = [each for each in of_target if each.cell.seed == min(every.cell.seed for every in of_target)]
    found: dict[str, str] = {}
    for each in first:
        details = []
        if len({other.cell.shots for other in first}) > 1:
            details.append("all images" if each.cell.shots is None else f"{each.cell.shots} images a class")
        if len({other.cell.learning_rate for other in first}) > 1:
            details.append(f"learning rate {each.cell.learning_rate:g}")
        names = {
            each.classifier: curves.CLASSIFIER,
            each.specialist: curves.name_pretraining(each.cell.arm),
            each.finetune: curves.name_finetuning(each.cell.arm, *details),
        }
        found |= {node: title for node, title in names.items() if node and node not in found}
    return found


def _pair_arms(
    found: comparison.TargetOutcome | None, outcome: comparison.Outcome | None, folder: str
) -> dict[str, paired.Paired]:
    """Returns arm → how it compares with the reference on the images, of the arms with one seed in common with it."""
    if found is None or outcome is None or outcome.reference not in found.arms:
        return {}
    alone = {name: each.seeds[0] for name, each in found.compared.items() if len(each.seeds) == 1}
    pairs: dict[str, paired.Paired] = {}
    for name, seed in alone.items():
        results = {
            arm: next(result for result in found.arms[arm].results if result.cell.seed == seed)
            for arm in (outcome.reference, name)
        }
        tables = {arm: predictions.read(folder, result.cell) for arm, result in results.items()}
        values = {arm: result.metrics[found.split, outcome.metric] for arm, result in results.items()}
        pairs |= paired.pair_arms(tables, values, outcome.reference, outcome.metric)
    return pairs


def _read_confusion(
    shared: Shared,
    name: str,
    found: comparison.TargetOutcome | None,
    folder: str,
    classes: Sequence[str],
) -> block.Confusion | None:
    """Returns the matrix of the best arm's model of the first seed."""
    if found is None or not classes:
        return None
    cell = found.arms[found.best].results[0].cell
    table = predictions.read(folder, cell)
    return target.read_confusion(shared, name, found.best, table, found.split, classes)
