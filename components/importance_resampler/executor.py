"""Plans a sample of the source from the index, then writes its Examples with Beam."""

import os
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components import sharding, storage
from components.example_gen import index
from components.importance_resampler import matchers, plan
from components.prior_estimator import label_prior


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

        n, seed = int(exec_properties["n"]), int(exec_properties["seed"])
        prior = label_prior.from_table(storage.read_table(folder("label_prior", label_prior.FILE_NAME)))
        index_paths = storage.files(folder("index", "Split-train"), index.FILE_PATTERN)
        index_tables = [storage.read_table(path, ["key", "labels"]) for path in index_paths]
        sample, labels = draw(pa.concat_tables(index_tables), prior, n=n, seed=seed)

        plan_uri = artifact_utils.get_single_uri(output_dict["plan"])
        per_shard = np.split(sample.copies, np.cumsum([len(table) for table in index_tables])[:-1])
        for i, copies in enumerate(per_shard):
            name = storage.shard_name("copies", i, len(per_shard), ".parquet")
            storage.write_table(os.path.join(plan_uri, "Split-train", name), plan.copies_table(copies))
        storage.write_table(os.path.join(plan_uri, plan.LABELS_FILE), labels)

        source = artifact_utils.get_single_instance(input_dict["examples"])
        output = artifact_utils.get_single_instance(output_dict["resampled_examples"])
        output.splits = ["train"]
        shard_paths = storage.files(source.path(split="train"))
        shards = int(exec_properties["shards"]) or len(shard_paths)
        copies_paths = storage.files(os.path.join(plan_uri, "Split-train"), plan.COPIES_PATTERN)
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(list(zip(shard_paths, index_paths, copies_paths, strict=True)))
                | "Spread" >> beam.Reshuffle()
                | "Copy" >> beam.FlatMap(_copy, shards=shards)
                | "Write" >> sharding.WriteShards(output.path(split="train"), shards)
            )


def draw(
    index_table: pa.Table, prior: label_prior.LabelPrior, *, n: int, seed: int
) -> tuple[matchers.Sample, pa.Table]:
    """Returns the same-distribution sample of an index (columns key and labels), and the plan's table of labels.

    Raises:
      ValueError: the prior was estimated for another index.
    """
    rows, labels = index.label_pairs(index_table["labels"], len(prior.names))
    pairs = matchers.Pairs(rows=rows, labels=labels, keys=index_table["key"].to_numpy(), num_labels=len(prior.names))
    if not np.array_equal(pairs.counts, prior.counts):
        raise ValueError("label_prior: its counts are not those of this index; it was estimated for another source")
    sample = matchers.same_distribution(pairs, prior.target_prior, n=n, seed=seed)
    return sample, plan.labels_table(sample, pairs, prior, strategy="same_distribution", n=n, seed=seed)


def _copy(element: tuple[str, str, str], shards: int) -> Iterator[tuple[int, list[sharding.Keyed]]]:
    """Yields the records of one input shard as often as the plan says, on their way to the output shards."""
    shard, index_path, copies_path = element
    keys = storage.read_table(index_path, ["key"])["key"].to_numpy()
    copies = plan.copies_of(storage.read_table(copies_path))
    yield from sharding.into_chunks(_repeated(shard, keys, copies, shards), shards)


def _repeated(shard: str, keys: np.ndarray, copies: np.ndarray, shards: int) -> Iterator[sharding.Keyed]:
    copy_keys = matchers.spread(keys, copies, shards)
    start = count = 0
    for count, record in enumerate(storage.read_records(shard), 1):
        if count > len(copies):
            break
        for key in copy_keys[start : start + copies[count - 1]]:
            yield sharding.Keyed(int(key), record)
        start += copies[count - 1]
    if count != len(copies):
        raise ValueError(f"{shard}: its index has {len(copies)} rows, but the shard has another number of records")
