"""The results of cells and of runs, from what the trainings have written."""

import json
import os
from collections.abc import Sequence

from components import storage
from pipeline.compare.arms import METRICS
from pipeline.compare.rows import Cell, Result
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.runners.local import NodeResult
from trainer.results import METRICS_FILE

_METRICS = ("accuracy", "mean_per_class_accuracy", "cross_entropy")


def make_result(
    config: Config,
    cell: Cell,
    model_run: str,
    *,
    pretrain_seconds: float,
    finetune_seconds: float,
    classifier_seconds: float,
) -> Result:
    """Returns the result of a cell.

    Args:
      config: the configuration.
      cell: the training.
      model_run: URI of the ModelRun of its fine-tuning.
      pretrain_seconds, finetune_seconds, classifier_seconds: what its trainings took; 0 without one.
    """
    arm, recipe = config.arm(cell.arm), config.pretrain_of(cell.arm)
    metrics = json.loads(storage.read_text(os.path.join(model_run, METRICS_FILE)))
    return Result(
        cell=cell,
        backbone=config.backbone.label,
        matcher=arm.matcher or "",
        start=arm.start,
        n=config.sample_size(cell.arm) if arm.kind is not None and not arm.kind.takes_all else 0,
        steps=recipe.steps if recipe else 0,
        images=recipe.steps * recipe.batch_size if recipe else 0,
        classifier_images=config.classifier_images if arm.needs_classifier() else 0,
        seconds=pretrain_seconds + finetune_seconds,
        finetune_seconds=finetune_seconds,
        # One that exists already costs nothing here, whatever its import took.
        classifier_seconds=classifier_seconds if arm.needs_classifier() and config.trained_classifier else 0.0,
        settings=json.dumps(_list_settings(config, cell), sort_keys=True),
        metrics={(split, name): found[name] for split, found in metrics.items() for name in _METRICS},
    )


def results_of_run(config: Config, nodes: Sequence[NodeResult]) -> list[Result]:
    """Returns the results of those arms of a run that ended well."""
    ended = {node.node: node for node in nodes}
    classifier = ended.get(ids.CLASSIFIER)
    results = []
    for target, settings in config.targets.items():
        for arm in settings.arms:
            finetune = ended.get(ids.arm_node(target, arm, ids.FINETUNE))
            if finetune is None or not finetune.outputs:
                continue
            shared = config.shared_settings(target, arm)
            specialist = ended.get(ids.sample_node(target, arm, ids.SPECIALIST, shared))
            results.append(
                make_result(
                    config,
                    Cell(target, arm, config.seed, None, config.finetune.learning_rate),
                    finetune.uris()["model_run"][0],
                    pretrain_seconds=specialist.seconds if specialist else 0.0,
                    finetune_seconds=finetune.seconds,
                    classifier_seconds=classifier.seconds if classifier else 0.0,
                )
            )
    return results


def metric_of(config: Config, name: str) -> str:
    """Returns the metric by which the arms of a target are compared: that of its evaluation, where arms have it."""
    metric = config.targets[name].evaluation.metric
    return metric if metric in METRICS else METRICS[0]


def _list_settings(config: Config, cell: Cell) -> dict[str, object]:
    """Returns the settings of an arm's prior and matcher that differ from the defaults."""
    matcher = config.matcher(cell.target, cell.arm)
    found: dict[str, object] = matcher.model_dump(exclude_defaults=True) if matcher else {}
    if config.arm(cell.arm).depends_on_target():
        found |= config.prior_of(cell.arm).model_dump(exclude_defaults=True)
    return found
