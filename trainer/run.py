"""Training and export, shared by the run_fns, and their typed settings."""

import contextlib
import csv
import dataclasses
import functools
import gc
import io
import json
import math
import os
from collections.abc import Callable, Collection, Iterator
from typing import Literal, TypeAlias

import keras
import numpy as np
import pyarrow as pa
import pydantic
import tensorflow as tf

from components import decoding, storage
from components.artifacts import predicted_labels, vocabulary
from components.deep_images import Scale16Bit
from components.settings import StrictModel
from trainer import metrics, serving
from trainer.data import draws, input_pipeline
from trainer.fn_args import FnArgs
from trainer.loop import evaluation, fit, scalars
from trainer.loop.distribution import Workers, make_strategy
from trainer.loop.history import Progress
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Compute, Recipe

METRICS_FILE = "metrics.json"
HISTORY_FILE = "history.csv"
MakeModel: TypeAlias = "Callable[[TrainingSettings, tuple[str, ...]], keras.Model]"
_GC_THRESHOLD = 200_000  # new objects; Python's default is 700


class TrainingSettings(StrictModel):
    """The `custom_config` of a Trainer node.

    Attributes:
      recipe, image, compute: the hyper-parameters, the input images and the hardware.
      seed: seed of weights, order and augmentation.
      scale_16_bit: what the served model makes of images of 16 bits, as the ExampleGen of its data.
      several_labels: whether an example may have more than one label.
      backbone: the network below the head. None: that of the base model.
      new_head: whether a pre-training starts with a head of its own, not with the base model's.
      evaluation_splits: the splits that the model is evaluated on at the end; empty: none. None: all but `train`.
      keep_predictions: those of them of which each example's prediction is kept, in the ModelRun; see
        `components.artifacts.predicted_labels`. Only where each example has one label.
      formats: those in which the model is exported: `saved_model`, for serving, and `keras`, for further training.
    """

    recipe: Recipe
    image: ImageConfig
    seed: int
    compute: Compute = Compute()
    scale_16_bit: Scale16Bit = "max"
    several_labels: bool = False
    backbone: Backbone | None = None
    new_head: bool = False
    evaluation_splits: list[str] | None = None
    keep_predictions: list[str] = []
    formats: list[Literal["saved_model", "keras"]] = ["saved_model", "keras"]

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "TrainingSettings":
        if self.keep_predictions and self.several_labels:
            raise ValueError(
                f"keep_predictions: {self.keep_predictions} with several_labels: an example has one prediction only "
                "where it has one label; set keep_predictions to []"
            )
        return self

    def splits_to_evaluate(self, splits: Collection[str]) -> list[str]:
        """Returns which of the `splits` of the Examples the model is evaluated on at the end, in their order.

        Raises:
          ValueError: a setting names a split that they do not have, or `train`, or keeps predictions of a split that is
            not evaluated.
        """
        allowed = [split for split in splits if split != "train"]
        chosen = allowed if self.evaluation_splits is None else self.evaluation_splits
        for name, values, known in (
            ("evaluation_splits", chosen, allowed),
            ("keep_predictions", self.keep_predictions, chosen),
        ):
            for split in values:
                if split not in known:
                    raise ValueError(f"{name}: {split!r} is not evaluated; choose from {', '.join(known) or 'none'}")
        return [split for split in allowed if split in chosen]


def train_and_export(fn_args: FnArgs, make_model: MakeModel) -> None:
    """Trains the model that `make_model` returns, and writes all outputs of a Trainer.

    Where several processes train together, each calls this function, and the chief writes.

    Args:
      fn_args: the arguments of the run_fn.
      make_model: (settings, label names) → model; called in the scope of the distribution strategy.
    """
    with _collect_garbage_rarely():
        _train_and_export(fn_args, TrainingSettings.model_validate(fn_args.custom_config), make_model)


def _train_and_export(fn_args: FnArgs, settings: TrainingSettings, make_model: MakeModel) -> None:
    recipe = settings.recipe
    settings.splits_to_evaluate(fn_args.split_patterns)  # what is wrong fails before the training
    strategy = make_strategy(settings.compute.distribution)
    workers = Workers(strategy)
    if settings.compute.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(settings.seed)
    labels = vocabulary.loads(storage.read_text(os.path.join(fn_args.vocabulary_path, vocabulary.FILE_NAME)))

    @functools.cache  # when they are first needed: a training of which only the export is left needs none
    def open_draws() -> draws.Draws:
        return draws.open_draws(
            fn_args.split_patterns["train"], index_pattern=fn_args.index_pattern, plan_pattern=fn_args.plan_pattern
        )

    replica_size = max(1, recipe.batch_size // strategy.num_replicas_in_sync)
    frozen_steps = 0
    if recipe.frozen_epochs:
        frozen_steps = min(math.ceil(recipe.frozen_epochs * len(open_draws()) / recipe.batch_size), recipe.steps)
    with scalars.open_scalars(fn_args.model_run_dir if workers.is_chief else None) as write_scalars:
        model, history = fit.fit(
            lambda: make_model(settings, labels.names),
            lambda step, context: input_pipeline.training_batches(
                open_draws(),
                settings.image,
                recipe,
                seed=settings.seed,
                several_labels=settings.several_labels,
                start_step=step,
                shards=context.num_input_pipelines,
                shard=context.input_pipeline_id,
                batch_size=context.get_per_replica_batch_size(recipe.batch_size),
            ),
            recipe,
            strategy,
            compute=settings.compute,
            frozen_steps=frozen_steps,
            checkpoints=fn_args.checkpoints,
            evaluation_batches=lambda: _evaluation_batches(
                fn_args, settings, "eval", replica_size, recipe.evaluate.examples if recipe.evaluate else None
            ),
            example_ids=lambda step: input_pipeline.example_ids(open_draws(), recipe, seed=settings.seed, step=step),
            batch_records=lambda step: input_pipeline.batch_records(
                open_draws(), recipe, seed=settings.seed, step=step
            ),
            on_progress=write_scalars,
        )
    if workers.is_chief:
        _write(fn_args, settings, labels.names, model, history, replica_size)
    workers.wait()
    if workers.is_chief:
        fn_args.checkpoints.delete()


@contextlib.contextmanager
def _collect_garbage_rarely() -> Iterator[None]:
    # Tracing and saving make millions of objects that stay; to search them for cycles again and again took a tenth of
    # the time beside the steps.
    thresholds = gc.get_threshold()
    gc.set_threshold(_GC_THRESHOLD)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _write(
    fn_args: FnArgs,
    settings: TrainingSettings,
    names: tuple[str, ...],
    model: keras.Model,
    history: list[Progress],
    batch_size: int,
) -> None:
    module = serving.ServingModule(model, settings.image, names, settings.recipe.activation, settings.scale_16_bit)
    found = {
        split: dataclasses.asdict(_evaluate(fn_args, settings, module, split, batch_size))
        for split in settings.splits_to_evaluate(fn_args.split_patterns)
    }
    storage.write_text(os.path.join(fn_args.model_run_dir, METRICS_FILE), json.dumps(found, indent=2))
    storage.write_text(os.path.join(fn_args.model_run_dir, HISTORY_FILE), _as_csv(history))
    tf.io.gfile.makedirs(fn_args.serving_model_dir)  # TFX takes a training without this folder for a failed one
    keras_file = os.path.join(fn_args.model_dir, serving.KERAS_FILE)
    module.export(
        saved_model=fn_args.serving_model_dir if "saved_model" in settings.formats else None,
        keras_file=keras_file if "keras" in settings.formats else None,
    )


def _evaluate(
    fn_args: FnArgs, settings: TrainingSettings, module: serving.ServingModule, split: str, batch_size: int
) -> metrics.Metrics:
    """Returns the metrics of a split, and writes its examples' predictions if they are kept."""
    activation, keep = settings.recipe.activation, split in settings.keep_predictions
    parts: list[pa.Table] = []

    def keep_batch(batch: tuple[tf.Tensor, ...], logits: np.ndarray) -> None:
        _, labels, _, ids = (values.numpy() for values in batch)
        of_batch = [source_id.decode() for source_id in ids]
        parts.append(predicted_labels.table(of_batch, labels[:, 0], *metrics.predict_labels(logits, activation)))

    batches = _evaluation_batches(fn_args, settings, split, batch_size, with_ids=keep)
    found = evaluation.evaluate(
        lambda images: module.features(images)["logits"],
        batches,
        activation=activation,
        on_batch=keep_batch if keep else None,
    )
    if keep:
        path = os.path.join(fn_args.model_run_dir, predicted_labels.file_name(split))
        storage.write_table(path, pa.concat_tables(parts))
    return found


def _evaluation_batches(
    fn_args: FnArgs,
    settings: TrainingSettings,
    split: str,
    batch_size: int,
    most_examples: int | None = None,
    with_ids: bool = False,
) -> Iterator[tuple[tf.Tensor, ...]]:
    patterns = fn_args.split_patterns[split]
    with decoding.name_undecodable(input_pipeline.read_records(patterns)):
        yield from input_pipeline.evaluation_batches(
            patterns,
            settings.image,
            batch_size,
            several_labels=settings.several_labels,
            most_examples=most_examples,
            with_ids=with_ids,
        )


def _as_csv(history: list[Progress]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in dataclasses.fields(Progress)], lineterminator="\n")
    table.writeheader()
    table.writerows(dataclasses.asdict(entry) for entry in history)
    return text.getvalue()
