"""Training and export, shared by the run_fns, and their typed settings."""

import contextlib
import functools
import gc
import math
import os
from collections.abc import Callable, Iterator
from typing import TypeAlias

import keras
import tensorflow as tf

from components import storage
from components.artifacts import vocabulary
from trainer import results
from trainer.data import draws, input_pipeline
from trainer.fn_args import FnArgs
from trainer.loop import fit, scalars
from trainer.loop.distribution import Workers, make_strategy
from trainer.models.backbone import Backbone
from trainer.recipes import Compute, Recipe

MakeModel: TypeAlias = "Callable[[TrainingSettings, tuple[str, ...]], keras.Model]"
_GC_THRESHOLD = 200_000  # new objects; Python's default is 700


class TrainingSettings(results.ResultSettings):
    """The `custom_config` of a Trainer node that trains.

    Attributes:
      recipe, compute: the hyper-parameters and the hardware.
      seed: seed of weights, order and augmentation.
      backbone: the network below the head. None: that of the base model.
      new_head: whether a pre-training starts with a head of its own, not with the base model's.
    """

    recipe: Recipe
    seed: int
    compute: Compute = Compute()
    backbone: Backbone | None = None
    new_head: bool = False


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
            evaluation_batches=lambda: results.evaluation_batches(
                fn_args, settings, "eval", replica_size, recipe.evaluate.examples if recipe.evaluate else None
            ),
            example_ids=lambda step: input_pipeline.example_ids(open_draws(), recipe, seed=settings.seed, step=step),
            batch_records=lambda step: input_pipeline.batch_records(
                open_draws(), recipe, seed=settings.seed, step=step
            ),
            on_progress=write_scalars,
        )
    if workers.is_chief:
        results.write(
            fn_args,
            settings,
            labels.names,
            model,
            activation=recipe.activation,
            batch_size=replica_size,
            history=history,
        )
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
