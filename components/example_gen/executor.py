"""Reads a data set and writes Examples, their index, the vocabulary, and what was rejected."""

import logging
import os
from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import sharding, storage
from components.artifacts import data_checks, data_report, findings, index, rejected, vocabulary
from components.artifacts.findings import Finding
from components.example_gen import hierarchy_file, policy, readers, working
from components.example_gen.examples import ImageChecker
from components.example_gen.ingest import Ingest, Shards
from components.example_gen.limit import Limit
from components.example_gen.readers.reader import Reader

_NOT_DECISIVE = ("working", "max_rejected")  # of the parameters: they do not change what is written


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
        outputs = (output.uri, index_uri, rejected_uri)
        parent = exec_properties.get("working") or os.path.join(index_uri, "work")
        work = working.begin(parent, _decisive(input_dict, exec_properties), (*outputs, vocabulary_uri))
        contents = reader.open(work.lists)
        work.note_outputs((*outputs, vocabulary_uri))
        images = None if contents.examples is None else sum(contents.examples.values())
        working.check_space(work, output.uri, sum(contents.sizes.values()), images)
        labels = hierarchy_file.apply_hierarchy(contents.vocabulary, files)
        if reader.is_labelled():
            data_checks.check_labels(contents.label_counts or {}, labels.names)
        storage.write_text(os.path.join(vocabulary_uri, vocabulary.FILE_NAME), vocabulary.dumps(labels))
        shards = {
            split: int(exec_properties["shards"]) or sharding.shard_count(size)
            for split, size in contents.sizes.items()
        }
        hashed = bool(int(exec_properties["perceptual_hashes"]))
        ways = policy.read_policy(exec_properties.get("working"))
        check = ImageChecker(
            labels.names,
            int(exec_properties["max_pixels"]),
            hashed,
            exec_properties["check"],
            ways.threads,
            exec_properties["scale_16_bit"],
        )
        max_rejected = exec_properties.get("max_rejected")
        max_rejected = ways.max_rejected if max_rejected is None else float(max_rejected)
        limit = Limit(max_rejected, images, sum(part.weight for part in contents.parts))
        with self._make_beam_pipeline() as pipeline:
            parts = pipeline | "Parts" >> beam.Create(list(enumerate(contents.parts)))  # spreads them over the workers
            _ = parts | Ingest(reader, check, Shards(shards), work, limit, outputs)
        artifact_utils.get_single_instance(output_dict["index"]).set_string_custom_property(
            index.HASHED_PROPERTY, index.HASHED[hashed]
        )
        _report(
            index_uri,
            rejected_uri,
            labels.names,
            shards,
            max_rejected,
            contents.findings,
            labelled=reader.is_labelled(),
        )
        work.delete()
        if not exec_properties.get("working"):
            tf.io.gfile.rmtree(parent)

    def _reader(self, input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> Reader:
        """Returns the reader of the images."""
        del input_dict  # for subclasses
        return readers.loads(exec_properties["dataset"])


def _decisive(input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> dict[str, Any]:
    """Returns all that decides the output."""
    inputs = {key: [artifact.uri for artifact in artifacts] for key, artifacts in input_dict.items()}
    return {"inputs": inputs, **{key: exec_properties[key] for key in exec_properties if key not in _NOT_DECISIVE}}


def _report(
    index_uri: str,
    rejected_uri: str,
    names: tuple[str, ...],
    splits: Iterable[str],
    max_rejected: float | None,
    reader_findings: Iterable[Finding],
    *,
    labelled: bool,
) -> None:
    """Writes the report beside the index, and refuses too many rejections, an empty split, and unfit labels."""

    def tables(uri: str, split: str, pattern: str, columns=None):
        for path in storage.list_files(os.path.join(uri, f"Split-{split}"), pattern):
            yield storage.read_table(path, columns)

    found = {
        split: data_report.report_split(tables(index_uri, split, index.FILE_PATTERN, data_report.COLUMNS), len(names))
        for split in splits
    }
    refused = {split: list(tables(rejected_uri, split, rejected.FILE_PATTERN)) for split in splits}
    if max_rejected is not None:
        kept = sum(len(split.keys) for split in found.values())
        all_refused = [table for of_split in refused.values() for table in of_split]
        rejected.check_share(rejected.count_reasons(all_refused), kept, max_rejected, all_refused)
    reasons = {split: rejected.count_reasons(of_split) for split, of_split in refused.items()}
    data_checks.check_splits({split: len(counted.keys) for split, counted in found.items()}, reasons)
    if labelled:
        data_checks.check_labels({split: counted.label_counts for split, counted in found.items()}, names)
    summary = data_report.summarise(found, reasons, names, reader_findings, found["train"].label_counts)
    for finding in findings.load(summary["findings"]):
        logging.warning("%s", findings.describe(finding))
    storage.write_text(os.path.join(index_uri, data_report.COUNTS_FILE), data_report.counts_csv(found, names))
    storage.write_text(os.path.join(index_uri, data_report.SUMMARY_FILE), data_report.dumps(summary))
