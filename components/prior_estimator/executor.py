"""Reads predictions and the source index, and writes the label prior."""

import dataclasses
import os
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import storage
from components.artifacts import exclusions, index, label_counts, label_map, label_prior, plan, predictions, vocabulary
from components.prior_estimator import estimate
from components.prior_estimator.settings import FITTED, EstimatorSettings


class Executor(base_executor.BaseExecutor):
    """See `components.prior_estimator.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        def read(key: str, split: str, pattern: str, columns: list[str] | None = None):
            folder = os.path.join(artifact_utils.get_single_uri(input_dict[key]), f"Split-{split}")
            return storage.read_table(storage.list_files(folder, pattern), columns)

        vocabulary_uri = artifact_utils.get_single_uri(input_dict["vocabulary"])
        labels = vocabulary.loads(storage.read_text(os.path.join(vocabulary_uri, vocabulary.FILE_NAME)))
        excluded = {}
        if input_dict.get("exclusions"):
            excluded = {split: read("exclusions", split, exclusions.FILE_PATTERN) for split in ("train", "eval")}

        def count_labels() -> np.ndarray:
            """Returns N_y, int64 [labels]."""
            if input_dict.get("counts"):
                path = os.path.join(artifact_utils.get_single_uri(input_dict["counts"]), label_counts.FILE_NAME)
                given = label_counts.loads(storage.read_text(path))
                positions = vocabulary.positions(labels.names, list(given), "counts")
                return np.array(list(given.values()), np.int64)[positions]
            train = read("index", "train", index.FILE_PATTERN, ["key", "labels"])
            if excluded:
                train = train.filter(exclusions.mask_kept(train["key"], exclusions.excluded_keys(excluded["train"])))
            return index.label_counts(index.label_pairs(train["labels"], len(labels)), len(labels))

        match = _read_match(artifact_utils.get_single_uri(input_dict["predictions"]), labels.names)

        def read_predictions(key: str, split: str):
            """Returns the Predictions, with the logits in the order of the vocabulary, unless they are to be mapped."""
            table = read(key, split, predictions.FILE_PATTERN)
            path = os.path.join(artifact_utils.get_single_uri(input_dict[key]), vocabulary.FILE_NAME)
            if match is not None or not tf.io.gfile.exists(path):
                return table
            names = vocabulary.loads(storage.read_text(path)).names
            return predictions.reorder_logits(table, vocabulary.positions(labels.names, names, key))

        source = None
        if input_dict.get("source_predictions"):
            table = read_predictions("source_predictions", "eval")
            source = estimate.read_labelled_images(
                exclusions.drop_excluded(table, excluded["eval"]) if excluded else table,
                read("index", "eval", index.FILE_PATTERN, ["source_id", "labels"]),
                len(labels),
            )
        predicted = read_predictions("predictions", "train")
        if input_dict.get("target_plan"):
            copies = plan.copies_of(read("target_plan", "train", plan.COPIES_PATTERN, ["copies"]))
            ids = read("target_index", "train", index.FILE_PATTERN, ["source_id"])["source_id"]
            target = estimate.read_planned_images(predicted, ids, copies)
        else:
            target = estimate.read_images(predicted)
        prior = estimate.estimate(
            settings_of(exec_properties),
            labels.names,
            count_labels(),
            target,
            source,
            match,
        )
        if prior.converged is False:
            logging.warning("%s did not converge in %d steps", prior.estimator, prior.iterations)
        output_uri = artifact_utils.get_single_uri(output_dict["label_prior"])
        storage.write_table(os.path.join(output_uri, label_prior.FILE_NAME), label_prior.to_table(prior))


def _read_match(predictions_uri: str, names: tuple[str, ...]) -> label_map.Match | None:
    """Returns what the labels of a classifier from elsewhere stand for; None: it was trained on the source."""
    path = os.path.join(predictions_uri, label_map.FILE_NAME)
    if not tf.io.gfile.exists(path):
        return None
    own = vocabulary.loads(storage.read_text(os.path.join(predictions_uri, vocabulary.FILE_NAME))).names
    return label_map.match(own, label_map.loads(storage.read_text(path)), names)


def to_properties(settings: EstimatorSettings) -> dict[str, Any]:
    """Returns `settings` as execution properties: the same for a number and for a default that is this number."""
    temperature = settings.temperature if settings.chosen_temperature == FITTED else settings.chosen_temperature
    return {**dataclasses.asdict(settings), "temperature": json_utils.dumps(temperature)}


def settings_of(exec_properties: dict[str, Any]) -> EstimatorSettings:
    """Reverts `to_properties`. Integers are restored, because some runners turn them into floats."""
    values = {field.name: exec_properties[field.name] for field in dataclasses.fields(EstimatorSettings)}
    integers = {name: int(values[name]) for name in ("bootstrap", "seed")}
    return EstimatorSettings(**{**values, **integers, "temperature": json_utils.loads(values["temperature"])})
