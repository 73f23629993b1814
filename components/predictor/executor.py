"""Beam batch inference: computes the logits, and the embeddings if the model tells them, of each shard of Examples."""

import itertools
import os
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.utils import shared
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils, path_utils

from components import decoding, storage
from components.artifacts import examples, index, label_map, model_labels, predictions, vocabulary


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.predictor.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        index_uri = artifact_utils.get_single_uri(input_dict["index"])
        model = path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict["model"]))
        output_uri = artifact_utils.get_single_uri(output_dict["predictions"])
        limit = int(exec_properties["max_examples"])
        if names := model_labels.read(model):  # the labels of the logits
            labels = vocabulary.dumps(vocabulary.make_vocabulary(names))
            storage.write_text(os.path.join(output_uri, vocabulary.FILE_NAME), labels)
        if (pairs := model_labels.read_map(model)) is not None:
            storage.write_text(os.path.join(output_uri, label_map.FILE_NAME), label_map.dumps(pairs))
        # With one handle for all shards, a process loads the model once.
        predict = _Predict(model, int(exec_properties["batch_size"]), shared.Shared())
        with self._make_beam_pipeline() as pipeline:
            for split in json_utils.loads(exec_properties["splits"]):
                shards = storage.list_files(examples.path(split=split), storage.RECORD_PATTERN)
                indices = storage.list_files(os.path.join(index_uri, f"Split-{split}"), index.FILE_PATTERN)
                last_key = _last_key(indices, limit)
                folder = os.path.join(output_uri, f"Split-{split}")
                paths = [
                    os.path.join(folder, storage.shard_name("predictions", i, len(shards), ".parquet"))
                    for i in range(len(shards))
                ]
                _ = (
                    pipeline
                    | f"Shards[{split}]" >> beam.Create(list(zip(shards, indices, paths, strict=True)))
                    | f"Spread[{split}]" >> beam.Reshuffle()
                    | f"Predict[{split}]" >> beam.ParDo(predict, last_key)
                )


def _last_key(indices: list[str], limit: int) -> int:
    """Returns the largest of the `limit` smallest keys, a sample independent of the sharding. 0: all examples."""
    if not limit:
        return np.iinfo(np.uint64).max
    keys = storage.read_table(indices, ["key"])["key"].to_numpy()
    return int(np.partition(keys, limit - 1)[limit - 1]) if limit < len(keys) else np.iinfo(np.uint64).max


def _to_table(ids: list[str], outputs: dict[str, np.ndarray]) -> pa.Table:
    return predictions.table(ids, outputs["logits"], outputs.get("features"))


class _Predict(beam.DoFn):
    """Reads (shard of Examples, its index, output path), writes the predictions there, and yields the path."""

    _saved_model: Any  # the SavedModel, one for all shards of a process

    def __init__(self, model: str, batch_size: int, handle: shared.Shared):
        self._model, self._batch_size, self._handle = model, batch_size, handle

    def setup(self):
        self._saved_model = self._handle.acquire(lambda: tf.saved_model.load(self._model), tag=self._model)

    def process(self, element: tuple[str, str, str], last_key: int):
        shard, index_path, path = element
        is_selected = storage.read_table(index_path, ["key"])["key"].to_numpy() <= np.uint64(last_key)
        features = self._saved_model.signatures["features"]
        widths = {name: spec.shape[1] for name, spec in features.structured_outputs.items()}
        tables = [_to_table([], {name: np.empty((0, width)) for name, width in widths.items()})]
        with decoding.name_undecodable(itertools.chain.from_iterable(map(storage.read_records, [shard]))):
            for source_ids, pixels in self._batches(shard, is_selected):
                outputs = {name: values.numpy() for name, values in features(pixels=pixels).items()}
                tables.append(_to_table([source_id.decode() for source_id in source_ids.numpy()], outputs))
        storage.write_table(path, pa.concat_tables(tables))
        yield path

    def _batches(self, shard: str, is_selected: np.ndarray) -> tf.data.Dataset:
        """Yields batches of (ids, pixels). Decoding runs in other threads while the model runs."""
        decode = self._saved_model.signatures["decode"]
        parse = {
            examples.SOURCE_ID: tf.io.FixedLenFeature([], tf.string),
            examples.IMAGE: tf.io.FixedLenFeature([], tf.string),
        }

        def decode_record(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            row = tf.io.parse_single_example(record, parse)
            return row[examples.SOURCE_ID], decode(encoded=row[examples.IMAGE])["pixels"]

        # The graph accepts any batch size, so the smaller last batch of a shard is not compiled again.
        return (
            storage.read_repeated_records(shard, is_selected.astype(np.int32))
            .map(decode_record, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .batch(self._batch_size)
            .prefetch(tf.data.AUTOTUNE)
        )
