"""Beam batch inference: a shard of Examples in, its logits out."""

import os
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.utils import shared
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils

from components import storage
from components.predictor import predictions


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.predictor.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        model = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        output_uri = artifact_utils.get_single_uri(output_dict["predictions"])
        # One handle for all shards: the workers of a process then hold the model once.
        predict = _Predict(model, exec_properties["batch_size"], shared.Shared())
        with self._make_beam_pipeline() as pipeline:
            for split in json_utils.loads(exec_properties["splits"]):
                shards = storage.files(examples.path(split=split))
                folder = os.path.join(output_uri, f"Split-{split}")
                names = [storage.shard_name("predictions", i, len(shards), ".parquet") for i in range(len(shards))]
                _ = (
                    pipeline
                    | f"Shards[{split}]"
                    >> beam.Create([(shard, os.path.join(folder, n)) for shard, n in zip(shards, names, strict=True)])
                    | f"Spread[{split}]" >> beam.Reshuffle()
                    | f"Predict[{split}]" >> beam.ParDo(predict)
                )


class _Predict(beam.DoFn):
    """(shard of Examples, path of its predictions) → the latter, written."""

    def __init__(self, model: str, batch_size: int, handle: shared.Shared):
        self._model, self._batch_size, self._handle = model, batch_size, handle
        self._loaded = None

    def setup(self):
        self._loaded = self._handle.acquire(lambda: tf.saved_model.load(self._model), tag=self._model)

    def process(self, element: tuple[str, str]):
        shard, path = element
        features = self._loaded.signatures["features"]
        ids, logits = [], []
        for source_ids, images in _batches(shard, self._batch_size):
            ids.extend(source_id.decode() for source_id in source_ids.numpy())
            logits.append(features(image_bytes=images)["logits"].numpy())
        num_labels = features.structured_outputs["logits"].shape[1]
        storage.write_table(path, predictions.table(ids, np.concatenate([np.empty((0, num_labels)), *logits])))
        yield path


def _batches(shard: str, batch_size: int) -> tf.data.Dataset:
    parse = {
        "image/source_id": tf.io.FixedLenFeature([], tf.string),
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
    }

    def unpack(records):
        row = tf.io.parse_example(records, parse)
        return row["image/source_id"], row["image/encoded"]

    records = tf.data.TFRecordDataset(shard, compression_type="GZIP").batch(batch_size)
    return records.map(unpack, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
