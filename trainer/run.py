"""What the run_fns share: their typed settings, and everything between a model to be made and its artifacts."""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Callable

import keras

from components import storage
from components.example_gen import vocabulary
from trainer import input_pipeline, serving, training
from trainer.distribution import make_strategy
from trainer.models import Backbone, Image
from trainer.recipes import Recipe
from trainer.strict import Strict

METRICS_FILE = "metrics.json"
HISTORY_FILE = "history.csv"


class Settings(Strict):
    """The `custom_config` of a Trainer node."""

    recipe: Recipe
    image: Image
    seed: int
    distribution: str = "auto"
    backbone: Backbone | None = None  # None: that of the base model


def train_and_export(fn_args, make_model: Callable[[Settings, int], keras.Model]) -> None:
    """Trains the model that `make_model` returns for (settings, number of classes) and writes all that a Trainer gives.

    Args:
      fn_args: from `trainer.component.Executor`.
      make_model: called in the scope of the distribution strategy.
    """
    settings = Settings.model_validate(fn_args.custom_config)
    labels = vocabulary.loads(storage.read_text(os.path.join(fn_args.vocabulary_path, vocabulary.FILE_NAME)))
    keras.utils.set_random_seed(settings.seed)
    data = {
        "patterns": fn_args.split_patterns["train"],
        "recipe": settings.recipe,
        "seed": settings.seed,
        "plan_pattern": fn_args.plan_pattern,
    }
    model, history = training.fit(
        lambda: make_model(settings, len(labels)),
        lambda step: input_pipeline.training_batches(**data, image=settings.image, start_step=step),
        settings.recipe,
        make_strategy(settings.distribution),
        checkpoints=fn_args.checkpoints,
        example_ids=lambda step: input_pipeline.example_ids(**data, step=step),
    )
    metrics = {}
    for split, patterns in fn_args.split_patterns.items():
        if split != "train":
            batches = input_pipeline.evaluation_batches(patterns, settings.image, settings.recipe.batch_size)
            metrics[split] = dataclasses.asdict(training.evaluate(model, batches))

    storage.write_text(os.path.join(fn_args.model_run_dir, METRICS_FILE), json.dumps(metrics, indent=2))
    storage.write_text(os.path.join(fn_args.model_run_dir, HISTORY_FILE), _as_csv(history))
    serving.export(
        model,
        settings.image,
        labels.names,
        saved_model=fn_args.serving_model_dir,
        keras_file=os.path.join(fn_args.model_dir, serving.KERAS_FILE),
    )
    fn_args.checkpoints.delete()


def _as_csv(history: list) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, ["step", "steps", "loss", "images_per_second"], lineterminator="\n")
    table.writeheader()
    table.writerows(dataclasses.asdict(entry) for entry in history)
    return text.getvalue()
