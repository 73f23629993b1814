"""What a Trainer writes at its end: metrics, predictions, and the model in its formats. Its part of the settings."""

import csv
import dataclasses
import io
import json
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import keras
import numpy as np
import pyarrow as pa
import pydantic
import tensorflow as tf

from components import decoding, storage
from components.artifacts import predicted_labels
from components.deep_images import Scale16Bit
from components.settings import StrictModel
from trainer import metrics, serving
from trainer.data import input_pipeline
from trainer.fn_args import FnArgs
from trainer.loop import evaluation
from trainer.loop.history import Progress
from trainer.models.backbone import ImageConfig

METRICS_FILE = "metrics.json"
HISTORY_FILE = "history.csv"


class ResultSettings(StrictModel):
    """The part of a Trainer's `custom_config` that says what is written.

    Attributes:
      image: the input images.
      scale_16_bit: what the served model makes of images of 16 bits, as the ExampleGen of its data.
      several_labels: whether an example may have more than one label.
      evaluation_splits: the splits that the model is evaluated on at the end; empty: none. None: all but `train`.
      keep_predictions: those of them of which each example's prediction is kept, in the ModelRun; see
        `components.artifacts.predicted_labels`. Only where each example has one label.
      formats: those in which the model is exported: `saved_model`, for serving, and `keras`, for further training.
    """

    image: ImageConfig
    scale_16_bit: Scale16Bit = "max"
    several_labels: bool = False
    evaluation_splits: list[str] | None = None
    keep_predictions: list[str] = []
    formats: list[Literal["saved_model", "keras"]] = ["saved_model", "keras"]

    @pydantic.model_validator(mode="after")
    def _check_predictions(self) -> "ResultSettings":
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


def write(
    fn_args: FnArgs,
    settings: ResultSettings,
    names: tuple[str, ...],
    model: keras.Model,
    *,
    activation: str,
    batch_size: int,
    history: Sequence[Progress] | None = None,
) -> None:
    """Evaluates a model, and writes all outputs of a Trainer.

    Args:
      fn_args: the arguments of the run_fn.
      settings: what is written.
      names: the labels, in the order of the logits.
      model: images [batch, size, size, channels], 0..255, to a dictionary with 'logits' and 'features'.
      activation: 'softmax' or 'sigmoid': what makes the logits probabilities.
      batch_size: images that are evaluated at a time.
      history: of the training; None: there was none, and no file for it.
    """
    module = serving.ServingModule(model, settings.image, names, activation, settings.scale_16_bit)
    found = {
        split: dataclasses.asdict(_evaluate(fn_args, settings, module, split, activation, batch_size))
        for split in settings.splits_to_evaluate(fn_args.split_patterns)
    }
    storage.write_text(os.path.join(fn_args.model_run_dir, METRICS_FILE), json.dumps(found, indent=2))
    if history is not None:
        storage.write_text(os.path.join(fn_args.model_run_dir, HISTORY_FILE), _as_csv(history))
    tf.io.gfile.makedirs(fn_args.serving_model_dir)  # TFX takes a training without this folder for a failed one
    keras_file = os.path.join(fn_args.model_dir, serving.KERAS_FILE)
    module.export(
        saved_model=fn_args.serving_model_dir if "saved_model" in settings.formats else None,
        keras_file=keras_file if "keras" in settings.formats else None,
    )


def evaluation_batches(
    fn_args: FnArgs,
    settings: ResultSettings,
    split: str,
    batch_size: int,
    most_examples: int | None = None,
    with_ids: bool = False,
) -> Iterator[tuple[tf.Tensor, ...]]:
    """Yields the examples of a split once, as `trainer.data.input_pipeline.evaluation_batches` does.

    Raises:
      ValueError: an image cannot be decoded; it names the example.
    """
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


def _evaluate(
    fn_args: FnArgs,
    settings: ResultSettings,
    module: serving.ServingModule,
    split: str,
    activation: str,
    batch_size: int,
) -> metrics.Metrics:
    """Returns the metrics of a split, and writes its examples' predictions if they are kept."""
    keep = split in settings.keep_predictions
    parts: list[pa.Table] = []

    def keep_batch(batch: tuple[tf.Tensor, ...], logits: np.ndarray) -> None:
        _, labels, _, ids = (values.numpy() for values in batch)
        of_batch = [source_id.decode() for source_id in ids]
        parts.append(predicted_labels.table(of_batch, labels[:, 0], *metrics.predict_labels(logits, activation)))

    batches = evaluation_batches(fn_args, settings, split, batch_size, with_ids=keep)
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


def _as_csv(history: Sequence[Progress]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, [field.name for field in dataclasses.fields(Progress)], lineterminator="\n")
    table.writeheader()
    table.writerows(dataclasses.asdict(entry) for entry in history)
    return text.getvalue()
