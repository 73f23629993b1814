"""Reads a data set and writes Examples, their index and the vocabulary."""

import os
from typing import Any

import apache_beam as beam
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import sharding, storage
from components.example_gen import examples, index, tfds_reader, vocabulary


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.example_gen.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        dataset = tfds_reader.TfdsDataset(**json_utils.loads(exec_properties["dataset"]))
        tfds_reader.prepare(dataset)
        labels = tfds_reader.read_vocabulary(dataset)
        sizes = tfds_reader.sizes(dataset)

        output = artifact_utils.get_single_instance(output_dict["examples"])
        output.splits = list(dataset.splits)
        index_uri = artifact_utils.get_single_uri(output_dict["index"])
        storage.write_text(
            os.path.join(artifact_utils.get_single_uri(output_dict["vocabulary"]), vocabulary.FILE_NAME),
            vocabulary.dumps(labels),
        )
        hashed = bool(int(exec_properties["perceptual_hashes"]))
        with self._make_beam_pipeline() as pipeline:
            for split, (_, size) in sizes.items():
                shards = exec_properties["shards"] or sharding.shard_count(size)
                write_index = _WriteIndex(os.path.join(index_uri, f"Split-{split}"), shards)
                _ = (
                    pipeline
                    | f"Parts[{split}]" >> beam.Create(tfds_reader.parts(dataset, split))
                    | f"Spread[{split}]" >> beam.Reshuffle()
                    | f"Read[{split}]" >> beam.ParDo(_Read(dataset, labels.names, shards, hashed))
                    | f"Write[{split}]" >> sharding.WriteShards(output.path(split=split), shards, write_index)
                )


class _Read(beam.DoFn):
    def __init__(self, dataset: tfds_reader.TfdsDataset, names: tuple[str, ...], shards: int, perceptual_hashes: bool):
        self._dataset, self._names, self._shards = dataset, names, shards
        self._perceptual_hashes = perceptual_hashes

    def process(self, part: tfds_reader.Part):
        rows = (
            examples.keyed(example, split=part.split, names=self._names, perceptual_hashes=self._perceptual_hashes)
            for example in tfds_reader.read(self._dataset, part)
        )
        yield from sharding.into_chunks(rows, self._shards)


class _WriteIndex:
    """Writes the index of a shard, and refuses an id that occurs twice (all its examples meet in one shard)."""

    def __init__(self, folder: str, shards: int):
        self._folder, self._shards = folder, shards

    def __call__(self, shard: int, items: list[sharding.Keyed]) -> list[sharding.Keyed]:
        seen = set()
        for item in items:
            source_id = item.row["source_id"]
            if source_id in seen:
                raise ValueError(
                    f"source_id: {source_id!r} occurs twice in {self._folder}; set id_key to a feature that is unique"
                )
            seen.add(source_id)
        path = os.path.join(self._folder, storage.shard_name("index", shard, self._shards, ".parquet"))
        storage.write_table(path, index.table(item.row for item in items))
        return items
