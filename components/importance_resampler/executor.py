"""Plans a sample of the source from the index, and writes its Examples with Beam if they are asked for."""

import dataclasses
import json
import os
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components import sharding, storage
from components.artifacts import examples, exclusions, index, label_prior, plan, predictions, vocabulary
from components.importance_resampler import matchers
from components.importance_resampler.copying import Copy, Source
from components.importance_resampler.labels_table import labels_table
from components.importance_resampler.matchers.matcher import Inputs, Predicted, require
from components.importance_resampler.pairs import Pairs


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.importance_resampler.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        def folder(key: str, *parts: str) -> str:
            return os.path.join(artifact_utils.get_single_uri(input_dict[key]), *parts)

        matcher = matchers.make_matcher(exec_properties["matcher"], **json.loads(exec_properties["settings"]))
        size = {"n": int(exec_properties["n"]), "seed": int(exec_properties["seed"])}
        prior = None
        if input_dict.get("label_prior"):
            prior = label_prior.from_table(storage.read_table(folder("label_prior", label_prior.FILE_NAME)))
        index_paths = storage.list_files(folder("index", "Split-train"), index.FILE_PATTERN)
        index_tables = [storage.read_table(path, ["key", "labels", "bytes"]) for path in index_paths]
        labels = None
        if input_dict.get("vocabulary"):
            labels = vocabulary.loads(storage.read_text(folder("vocabulary", vocabulary.FILE_NAME)))
            prior = prior and label_prior.reorder(prior, labels.names)
        names = labels.names if labels else require(prior, "label_prior").names
        source = artifact_utils.get_single_instance(input_dict["examples"])
        shard_paths = storage.list_files(source.path(split="train"), storage.RECORD_PATTERN)
        if len(shard_paths) != len(index_paths):
            raise ValueError(f"index: has {len(index_paths)} shards, but the examples have {len(shard_paths)}")
        for path, table in zip(shard_paths, index_tables, strict=True):
            _check_first(path, table["key"])
        rows = pa.concat_tables(index_tables)
        excluded, kept = {}, None
        if input_dict.get("exclusions"):
            for split in ("train", "eval"):
                paths = storage.list_files(folder("exclusions", f"Split-{split}"), exclusions.FILE_PATTERN)
                excluded[split] = storage.read_table(paths)
            keys = exclusions.excluded_keys(excluded["train"])
            kept = np.concatenate([exclusions.mask_kept(table["key"], keys) for table in index_tables])
        pairs = Pairs.of_index(rows if kept is None else rows.filter(kept), len(names))
        source_predicted = target_predicted = None
        if "source_predictions" in matcher.needs:
            source_predicted = _read_predicted(
                folder("source_predictions"), folder("index"), "eval", excluded.get("eval")
            )
        if "target_predictions" in matcher.needs:
            target_predicted = _read_predicted(folder("target_predictions"), folder("target_index"), "train")
            if input_dict.get("target_plan"):
                paths = storage.list_files(folder("target_plan", "Split-train"), plan.COPIES_PATTERN)
                target_predicted = _take(target_predicted, plan.copies_of(storage.read_table(paths, ["copies"])))
        sample = matcher.draw(Inputs(pairs, prior, labels, source_predicted, target_predicted), **size)
        if kept is not None:
            figures = {**sample.figures, "excluded_examples": int(np.count_nonzero(~kept))}
            sample = dataclasses.replace(sample, figures=figures)

        plan_uri = artifact_utils.get_single_uri(output_dict["plan"])
        asked_for = {"matcher": exec_properties["matcher"], **size, **matcher.model_dump()}
        storage.write_table(
            os.path.join(plan_uri, plan.LABELS_FILE), labels_table(sample, pairs, prior, asked_for, names)
        )
        if kept is not None:
            sample = sample.expand(kept)
        plan_paths = []
        start = 0
        for i, table in enumerate(index_tables):
            name = storage.shard_name("copies", i, len(index_tables), ".parquet")
            plan_paths.append(os.path.join(plan_uri, "Split-train", name))
            part = slice(start, start + len(table))
            start += len(table)
            weights = None if sample.weights is None else sample.weights[part]
            storage.write_table(plan_paths[-1], plan.copies_table(sample.copies[part], weights))

        if int(exec_properties["materialise"]):
            total_bytes = int(sample.copies.astype(np.int64) @ rows["bytes"].to_numpy())
            by_size = sharding.shard_count(total_bytes, int(exec_properties["shard_bytes"]))
            output = artifact_utils.get_single_instance(output_dict["resampled_examples"])
            output.splits = ["train"]
            work = os.path.join(plan_uri, "work")
            sources = [Source(*paths) for paths in zip(shard_paths, index_paths, plan_paths, strict=True)]
            shards = int(exec_properties["shards"]) or by_size
            with self._make_beam_pipeline() as pipeline:
                read = pipeline | "Sources" >> beam.Create(list(enumerate(sources))) | "Spread" >> beam.Reshuffle()
                _ = read | "Copy" >> Copy(
                    sources, shards, output.path(split="train"), os.path.join(output.uri, examples.PLACES), work
                )
            if tf.io.gfile.exists(work):
                tf.io.gfile.rmtree(work)


def _check_first(shard: str, keys: pa.ChunkedArray) -> None:
    """Refuses an index in another order than its shard: the first record tells, and costs no more than opening it."""
    first = next(storage.read_records(shard), None)
    found = None if first is None else index.id_key(examples.source_id_of(tf.train.Example.FromString(first)))
    if found != (keys[0].as_py() if len(keys) else None):
        raise ValueError(
            f"index: its first row is not the first record of {shard}; both must be of one ExampleGen's run"
        )


def _read_predicted(predictions_uri: str, index_uri: str, split: str, excluded: pa.Table | None = None) -> Predicted:
    """Reads what the classifier says of a split, without its excluded examples, and the labels that its index has."""
    folder = f"Split-{split}"
    table = storage.read_table(storage.list_files(os.path.join(predictions_uri, folder), predictions.FILE_PATTERN))
    if excluded is not None:
        table = exclusions.drop_excluded(table, excluded)
    paths = storage.list_files(os.path.join(index_uri, folder), index.FILE_PATTERN)
    return Predicted(table, storage.read_table(paths, ["source_id", "labels"]))


def _take(images: Predicted, copies: np.ndarray) -> Predicted:
    """Returns each image as often as `copies`, int [rows of the index], says.

    Raises:
      ValueError: the plan is of another index, or an image that was predicted is not in it.
    """
    ids = images.index["source_id"].combine_chunks()
    if len(ids) != len(copies):
        raise ValueError(
            f"target_plan: {len(copies)} rows, but the train split of target_index has {len(ids)}; make the plan from "
            "it"
        )
    rows = pc.index_in(images.predictions["source_id"].combine_chunks(), value_set=ids)
    if rows.null_count:
        raise ValueError(f"target_predictions: {rows.null_count} images are not in target_index; give that of the same")
    times = copies[rows.to_numpy(zero_copy_only=False)]
    return dataclasses.replace(images, predictions=images.predictions.take(np.repeat(np.arange(len(times)), times)))
