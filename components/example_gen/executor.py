"""Reads a data set and writes Examples, their index, the vocabulary, and what was rejected."""

import logging
import os
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import sharding, storage
from components.artifacts import data_report, index, rejected, vocabulary
from components.example_gen import hierarchy_file, readers
from components.example_gen.examples import ImageChecker, Indexed, reject_repeated
from components.example_gen.readers.reader import Part, Reader


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.example_gen.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        reader = self._reader(input_dict, exec_properties)
        reader.prepare()
        hierarchy = json_utils.loads(exec_properties["hierarchy"])
        files = hierarchy_file.HierarchyFile(**hierarchy) if hierarchy else None
        output = artifact_utils.get_single_instance(output_dict["examples"])
        output.splits = list(reader.splits)
        index_uri, vocabulary_uri, rejected_uri = (
            artifact_utils.get_single_uri(output_dict[key]) for key in ("index", "vocabulary", "rejected")
        )
        work = os.path.join(index_uri, "work")
        contents = reader.open(work)
        labels = hierarchy_file.apply_hierarchy(contents.vocabulary, files)
        storage.write_text(os.path.join(vocabulary_uri, vocabulary.FILE_NAME), vocabulary.dumps(labels))
        shards = {
            split: int(exec_properties["shards"]) or sharding.shard_count(size)
            for split, size in contents.sizes.items()
        }
        check = ImageChecker(
            labels.names, int(exec_properties["max_pixels"]), bool(int(exec_properties["perceptual_hashes"]))
        )
        with self._make_beam_pipeline() as pipeline:
            read = (
                pipeline
                | "Parts" >> beam.Create(contents.parts)
                | "Spread" >> beam.Reshuffle()
                | "Read" >> beam.ParDo(_Read(reader, shards, check)).with_outputs(*shards)
            )
            for split, count in shards.items():
                folders = [os.path.join(uri, f"Split-{split}") for uri in (index_uri, rejected_uri)]
                write_tables = _WriteTables(count, *folders)
                _ = read[split] | f"Write[{split}]" >> sharding.WriteShards(
                    output.path(split=split), count, write_tables
                )
        if tf.io.gfile.exists(work):
            tf.io.gfile.rmtree(work)
        _report(index_uri, rejected_uri, labels.names, shards, float(exec_properties["max_rejected"]))

    def _reader(self, input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> Reader:
        """Returns the reader of the images."""
        del input_dict  # for subclasses
        return readers.loads(exec_properties["dataset"])


class _Read(beam.DoFn):
    """A part → its images and rejections, as (shard, chunk) elements of an output a split."""

    def __init__(self, reader: Reader, shards: dict[str, int], check: ImageChecker):
        self._reader, self._shards, self._check = reader, shards, check

    def process(self, part: Part):
        items = self._check.all(part, self._reader.read(part))
        placed = (((split, item.key % self._shards[split]), item) for split, item in items)
        for (split, shard), chunk in sharding.chunk_placed_records(placed):
            yield beam.pvalue.TaggedOutput(split, (shard, chunk))


class _WriteTables:
    """Writes the index of a shard, and its rejections.

    Of examples with the same id (which all meet in one shard) the first stays, in the order of the records.
    """

    def __init__(self, shards: int, index_folder: str, rejected_folder: str):
        self._shards, self._index_folder, self._rejected_folder = shards, index_folder, rejected_folder

    def __call__(self, shard: int, items: list[Indexed]) -> list[Indexed]:
        kept: dict[str, Indexed] = {}
        rejections = []
        for item in items:
            if not item.record:
                rejections.append(item.row)
            elif (first := kept.setdefault(item.row["source_id"], item)) is not item:
                rejections.append(reject_repeated(item.row, first.row))
        rows = [item.row for item in kept.values()]
        self._write(self._index_folder, "index", shard, index.table(rows))
        self._write(self._rejected_folder, "rejected", shard, rejected.table(rejections))
        return list(kept.values())

    def _write(self, folder: str, stem: str, shard: int, table) -> None:
        storage.write_table(os.path.join(folder, storage.shard_name(stem, shard, self._shards, ".parquet")), table)


def _report(index_uri: str, rejected_uri: str, names: tuple[str, ...], splits, max_rejected: float) -> None:
    """Writes the report beside the index, and refuses too many rejections and an empty split."""

    def tables(uri: str, split: str, pattern: str, columns=None):
        for path in storage.list_files(os.path.join(uri, f"Split-{split}"), pattern):
            yield storage.read_table(path, columns)

    found = {
        split: data_report.report_split(tables(index_uri, split, index.FILE_PATTERN, data_report.COLUMNS), len(names))
        for split in splits
    }
    refused = {split: list(tables(rejected_uri, split, rejected.FILE_PATTERN)) for split in splits}
    kept = sum(len(split.keys) for split in found.values())
    rejected.check_share([table for of_split in refused.values() for table in of_split], kept, max_rejected)
    for split, counted in found.items():
        if not len(counted.keys):
            raise ValueError(f"splits.{split}: no image of the data belongs to it")
    reasons = {split: rejected.count_reasons(of_split) for split, of_split in refused.items()}
    summary = data_report.summarise(found, reasons, names)
    for line in data_report.list_warnings(summary):
        logging.warning("%s", line)
    storage.write_text(os.path.join(index_uri, data_report.COUNTS_FILE), data_report.counts_csv(found, names))
    storage.write_text(os.path.join(index_uri, data_report.SUMMARY_FILE), data_report.dumps(summary))
