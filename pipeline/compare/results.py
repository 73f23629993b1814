"""The results of cells and of runs, from what the trainings have written."""

import json
import os
from collections.abc import Callable

from components import storage
from pipeline.compare.arms import METRICS
from pipeline.compare.rows import Cell, Result
from pipeline.config.run import Config
from pipeline.nodes import ids
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


def results_of_run(
    config: Config, find_model_run: Callable[[str], str | None], find_seconds: Callable[[str], float]
) -> list[Result]:
    """Returns the results of those arms of a run that ended well.

    Args:
      config: of the run.
      find_model_run: from a training's node to the URI of its ModelRun; None: it has none.
      find_seconds: from the node of a training to how long that took; 0 without one.
    """
    results = []
    for target, settings in config.targets.items():
        for arm in settings.arms:
            finetune = ids.arm_node(target, arm, ids.FINETUNE)
            model_run = find_model_run(finetune)
            if model_run is None:
                continue
            specialist = ids.sample_node(target, arm, ids.SPECIALIST, config.shared_settings(target, arm))
            results.append(
                make_result(
                    config,
                    Cell(target, arm, config.seed, None, config.finetune.learning_rate),
                    model_run,
                    pretrain_seconds=find_seconds(specialist),
                    finetune_seconds=find_seconds(finetune),
                    classifier_seconds=find_seconds(ids.CLASSIFIER),
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
