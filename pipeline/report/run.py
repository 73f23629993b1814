"""The report on a run."""

from collections.abc import Sequence

import tensorflow as tf

from components import storage
from components.artifacts import predicted_labels
from components.transfer_report import block
from components.transfer_report.executor import ReportArgs
from pipeline.compare import advice, comparison
from pipeline.compare.results import metric_of, results_of_run
from pipeline.compare.rows import Result
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.report import name_of
from pipeline.report import about, arms, curves, data, inputs, paired, source_labels, steps, target
from pipeline.report.inputs import Inputs
from pipeline.report.target import Shared


def report_fn(args: ReportArgs) -> block.Block:
    """Returns the data block of the run that a TransferReport is a node of."""
    return collect(inputs.from_args(args))


def collect(found: Inputs) -> block.Block:
    """Returns the data block of a run."""
    shared = Shared.of(found)
    source = target.read_source(shared)
    results = results_of_run(
        found.config, lambda node: found.uri(node, "model_run"), lambda node: found.seconds_of(node, "model_run")
    )
    outcome = _compare(found.config, results)
    missing = _list_missing(found, source)
    targets = {
        name: _collect_target(shared, name, source, outcome, any(each.target in ("", name) for each in missing))
        for name in found.config.targets
    }
    return about.make_block(
        found,
        "run",
        source=source,
        targets=targets,
        missing=missing,
        seeds=[found.config.seed],
        mean=arms.describe_means(outcome),
        caveats=outcome.notes if outcome else (),  # the others are about intervals, which one seed has not
    )


def _compare(config: Config, results: Sequence[Result]) -> comparison.Outcome | None:
    """Returns how the arms compare; None: none has a result. A run has one seed, from which no interval follows."""
    if not results:
        return None
    names = [result.cell.arm for result in results]
    reference = config.compare.reference if config.compare.reference in names else names[0]
    return comparison.compare_arms(results, None, reference, metric=metric_of(config, results[0].cell.target))


def _list_missing(found: Inputs, source: block.Source | None) -> list[block.Missing]:
    missing = []
    if source is None:
        missing.append(block.Missing("the source data", found.why_missing(ids.side_node(ids.SOURCE, ids.EXAMPLES))))
    for name, settings in found.config.targets.items():
        wanted = {
            f"the data of {name}": (ids.side_node(name, ids.EXAMPLES), "index"),
            f"the label prior of {name}": (ids.side_node(name, ids.PRIOR), "label_prior"),
            **{f"arm {arm} of {name}": (ids.arm_node(name, arm, ids.FINETUNE), "model_run") for arm in settings.arms},
        }
        if settings.push:
            wanted[f"the evaluation of {name}"] = (ids.side_node(name, ids.EVALUATOR), "blessing")
            wanted[f"the push of {name}"] = (ids.side_node(name, ids.PUSHER), "pushed_model")
        missing += [
            block.Missing(what, found.why_missing(node), name)
            for what, (node, output) in wanted.items()
            if found.uri(node, output) is None
        ]
    return missing


def _collect_target(
    shared: Shared, name: str, source: block.Source | None, outcome: comparison.Outcome | None, missing: bool
) -> block.Target:
    found, config = shared.inputs, shared.inputs.config
    settings = config.targets[name]
    classes = data.read_vocabulary(found, name)
    names = classes.names if classes else ()
    prior = target.read_prior(found, ids.side_node(name, ids.PRIOR))
    plans = {
        arm: table
        for arm in settings.arms
        if (table := target.read_plan(found, _resample_node(config, name, arm))) is not None
    }
    has_result = outcome is not None and name in outcome.targets
    best = outcome.targets[name].best if outcome is not None and has_result else None
    shown = settings.push if settings.push in plans else next(iter(plans), None)
    split = config.targets[name].reported_split
    judged = target.judge(found, name)
    described = source_labels.describe(shared, name, prior, ids.side_node(name, ids.PREDICTIONS), names, plans, shown)
    known = arms.Known(source, described.achieved, _pair_arms(found, name, outcome))
    return block.Target(
        name=name,
        split=split,
        metric=metric_of(config, name),
        verdict=block.Verdict(
            arm=best,
            sentences=advice.advise(outcome, name, settings.push) if outcome is not None and has_result else (),
            next_steps=steps.suggest_steps(config, name, outcome, kind="run", served=judged.served, missing=missing),
            pushed_arm=settings.push,
            pushed=judged.served is not None,
            served=judged.served,
            why_not=judged.reason,
            criterion=arms.describe_criterion(config, name, outcome, _find_blessed(found, name)),
        ),
        arms=arms.describe_arms(config, name, settings.arms, outcome, known),
        **vars(described),
        **target.describe_data(shared, name, names),
        curves=target.read_curves(found, _list_trainings(config, name)),
        confusion=_read_confusion(shared, name, settings.push or best, best, split, names),
        facts=arms.find_facts(config, name, settings.push or best),
    )


def _find_blessed(found: Inputs, name: str) -> bool | None:
    """Returns whether a target's model is good enough to be pushed; None: it is not known."""
    blessing = found.artifacts.get(name_of(ids.side_node(name, ids.EVALUATOR), "blessing"))
    if blessing is None or "blessed" not in blessing.custom_properties:
        return None
    return bool(blessing.custom_properties["blessed"].int_value)


def _read_confusion(
    shared: Shared, name: str, arm: str | None, best: str | None, split: str, classes: Sequence[str]
) -> block.Confusion | None:
    """Returns the matrix of the model that is pushed or, if it failed, of the best arm's."""
    for each in dict.fromkeys(filter(None, [arm, best])):
        path = _find_predictions(shared.inputs, name, each, split)
        if path is not None:
            return target.read_confusion(shared, name, each, storage.read_table(path), split, classes)
    return None


def _resample_node(config: Config, name: str, arm: str) -> str:
    return ids.sample_node(name, arm, ids.RESAMPLE, config.shared_settings(name, arm))


def _list_trainings(config: Config, name: str) -> dict[str, str]:
    """Returns node → what it trains, of those that a target's results depend on."""
    found = {ids.CLASSIFIER: curves.CLASSIFIER}
    for arm in config.targets[name].arms:
        specialist = ids.sample_node(name, arm, ids.SPECIALIST, config.shared_settings(name, arm))
        found[specialist] = curves.name_pretraining(arm)
        found[ids.arm_node(name, arm, ids.FINETUNE)] = curves.name_finetuning(arm)
    return found


def _pair_arms(found: Inputs, name: str, outcome: comparison.Outcome | None) -> dict[str, paired.Paired]:
    """Returns arm → how its model compares with the reference's on the images of the reported split."""
    of_target = outcome.targets.get(name) if outcome else None
    if outcome is None or of_target is None:
        return {}
    tables = {}
    for arm in of_target.arms:
        path = _find_predictions(found, name, arm, of_target.split)
        if path is not None:
            tables[arm] = storage.read_table(path)
    values = {arm: each.value for arm, each in of_target.arms.items()}
    return paired.pair_arms(tables, values, outcome.reference, outcome.metric)


def _find_predictions(found: Inputs, name: str, arm: str, split: str) -> str | None:
    """Returns the path of what an arm's model predicts for a split; None: it is not kept."""
    path = found.path(ids.arm_node(name, arm, ids.FINETUNE), "model_run", predicted_labels.file_name(split))
    return path if path and tf.io.gfile.exists(path) else None
