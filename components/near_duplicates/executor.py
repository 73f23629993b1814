"""Finds near-duplicates in a Beam job, one shard of the source's index at a time."""

import dataclasses
import json
import logging
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.utils import shared
from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import json_utils

from components import storage
from components.artifacts import exclusions, index, plan, predictions
from components.near_duplicates import embeddings, neighbours


@dataclasses.dataclass(frozen=True)
class Shard:
    """The files of a shard of the source.

    Attributes:
      split: split of the source.
      index: path of the shard's index.
      pairs, plan: paths to write to; `plan` is None for splits that are not trained on.
      earlier: path of the exclusions of an earlier stage, which are kept, or None.
      predictions: path of the shard's predictions, or None.
    """

    split: str
    index: str
    pairs: str
    plan: str | None = None
    earlier: str | None = None
    predictions: str | None = None


class _Executor(base_beam_executor.BaseBeamExecutor):
    def _filter(self, input_dict, output_dict, settings: dict, targets: dict, load: Callable[[], Any]) -> None:
        """Writes exclusions, summary and plan.

        Args:
          settings, targets: entries of the summary.
          load: returns a function (shard, its index) → pairs; called once in each process of a worker.
        """
        exclusions_uri = artifact_utils.get_single_uri(output_dict["exclusions"])
        shards = _shards(
            artifact_utils.get_single_uri(input_dict["index"]),
            exclusions_uri,
            artifact_utils.get_single_uri(output_dict["plan"]),
            *(_uri(input_dict, key) for key in ("earlier_exclusions", "source_predictions")),
        )
        with self._make_beam_pipeline() as pipeline:
            _ = (
                pipeline
                | "Shards" >> beam.Create(shards)
                | "Spread" >> beam.Reshuffle()
                | "Match" >> beam.ParDo(_Match(load, shared.Shared()))
                | "Gather" >> beam.combiners.ToList()
                | "Summarise" >> beam.Map(_write_summary, exclusions_uri, settings, targets)
            )
        content = exclusions.content_hash(
            artifact_utils.get_single_uri(input_dict["index"]), (storage.read_table(shard.pairs) for shard in shards)
        )
        for key in ("exclusions", "plan"):
            artifact_utils.get_single_instance(output_dict[key]).set_string_custom_property(
                exclusions.CONTENT_PROPERTY, content
            )


class Executor(_Executor):
    """Stage `hashes`. See `components.near_duplicates.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        distance, flips = int(exec_properties["distance"]), bool(int(exec_properties["flips"]))
        _check_hashed("index", input_dict["index"])
        paths = _target_files(input_dict, exec_properties, "target_indices", index.FILE_PATTERN)
        targets = {}
        for i, (name, target_paths) in enumerate(paths.items()):
            _check_hashed(f"target {name!r}", input_dict[f"target_indices_{i}"])
            hashes = storage.read_table(target_paths, ["perceptual_hash"])["perceptual_hash"]
            targets[name] = {"images": len(hashes), "without_hash": hashes.null_count}
            _tell_flat(f"target {name!r}", **targets[name])
        settings = {"distance": distance, "flips": flips}
        self._filter(input_dict, output_dict, settings, targets, _HashStage(paths, distance, flips))


class EmbeddingExecutor(_Executor):
    """Stage `embeddings`. See `components.near_duplicates.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        threshold = float(exec_properties["threshold"])
        paths = _target_files(input_dict, exec_properties, "target_predictions", predictions.FILE_PATTERN)
        targets = {
            name: {"images": sum(len(storage.read_table(path, ["source_id"])) for path in target_paths)}
            for name, target_paths in paths.items()
        }
        self._filter(input_dict, output_dict, {"threshold": threshold}, targets, _EmbeddingStage(paths, threshold))


@dataclasses.dataclass(frozen=True)
class _HashStage:
    """Reads the targets' indices, and returns a function that compares a shard's index with them."""

    paths: dict[str, list[str]]
    distance: int
    flips: bool

    def __call__(self) -> "_Neighbours":
        tables = [
            _add_target(storage.read_table(target_paths, neighbours.TARGET_COLUMNS), name)
            for name, target_paths in self.paths.items()
        ]
        find = neighbours.HashNeighbours(
            _sort_targets(pa.concat_tables(tables)), distance=self.distance, flips=self.flips
        )
        return _Neighbours(lambda shard, rows: find(rows))


@dataclasses.dataclass(frozen=True)
class _EmbeddingStage:
    """Reads the targets' embeddings, and returns a function that compares a shard's embeddings with them."""

    paths: dict[str, list[str]]
    threshold: float

    def __call__(self) -> "_Neighbours":
        tables = []
        for name, target_paths in self.paths.items():
            for path in target_paths:
                split = storage.split_of(path)
                table = storage.read_table(path, ["source_id", "embedding"])
                tables.append(
                    _add_target(table.append_column("split", pa.array([split] * len(table), pa.string())), name)
                )
        targets = _sort_targets(pa.concat_tables(tables))
        target_embeddings = embeddings.normalise(predictions.embeddings_of(targets))

        def find(shard: Shard, rows: pa.Table) -> pa.Table:
            if shard.predictions is None:
                return exclusions.SCHEMA.empty_table()
            source = storage.read_table(shard.predictions, ["source_id", "embedding"])
            source = source.append_column("split", pa.array([shard.split] * len(source), pa.string()))
            source_embeddings = embeddings.normalise(predictions.embeddings_of(source))
            matches = embeddings.find_near(source_embeddings, target_embeddings, self.threshold)
            return neighbours.exclusions_table(source, targets, matches)

        return _Neighbours(find)


@dataclasses.dataclass
class _Neighbours:
    """A function (shard, its index) → pairs, in a class because `Shared` needs objects that allow weak references."""

    find: Callable[[Shard, pa.Table], pa.Table]


class _Match(beam.DoFn):
    """Writes the pairs of a shard and its part of the plan, and yields (split, counts of the shard)."""

    _neighbours: _Neighbours  # one for all shards of a process

    def __init__(self, load: Callable[[], _Neighbours], handle: shared.Shared):
        self._load, self._handle = load, handle

    def setup(self):
        self._neighbours = self._handle.acquire(self._load)

    def process(self, shard: Shard):
        rows = storage.read_table(shard.index, ["key", *neighbours.SOURCE_COLUMNS])
        pairs = self._neighbours.find(shard, rows)
        if shard.earlier is not None:
            pairs = _join_pairs(storage.read_table(shard.earlier), pairs)
        storage.write_table(shard.pairs, pairs)
        if shard.plan is not None:
            kept = exclusions.mask_kept(rows["key"], exclusions.excluded_keys(pairs))
            storage.write_table(shard.plan, plan.copies_table(kept.astype(np.int32)))
        yield shard.split, exclusions.counts(pairs, rows)


def _shards(
    index_uri: str, exclusions_uri: str, plan_uri: str, earlier_uri: str | None, predictions_uri: str | None
) -> list[Shard]:
    shards = []
    for split in storage.list_splits(index_uri):
        folder, train = f"Split-{split}", split == "train"
        paths = storage.list_files(os.path.join(index_uri, folder), index.FILE_PATTERN)
        predicted = _aligned_files(predictions_uri if train else None, folder, predictions.FILE_PATTERN, len(paths))
        earlier = _aligned_files(earlier_uri, folder, exclusions.FILE_PATTERN, len(paths))
        for i, path in enumerate(paths):
            pairs, copies = (storage.shard_name(stem, i, len(paths), ".parquet") for stem in ("pairs", "copies"))
            shards.append(
                Shard(
                    split=split,
                    index=path,
                    pairs=os.path.join(exclusions_uri, folder, pairs),
                    plan=os.path.join(plan_uri, folder, copies) if train else None,
                    earlier=earlier[i],
                    predictions=predicted[i],
                )
            )
    return shards


def _aligned_files(uri: str | None, folder: str, pattern: str, shards: int) -> list[str] | list[None]:
    """Returns the file of each shard of the index, or None for each if there is no artifact."""
    if uri is None:
        return [None] * shards
    paths = storage.list_files(os.path.join(uri, folder), pattern)
    if len(paths) != shards:
        raise ValueError(
            f"{uri}: {len(paths)} files for {shards} files of the index; both must come from the same source"
        )
    return paths


def _target_files(input_dict, exec_properties: dict, key: str, pattern: str) -> dict[str, list[str]]:
    """Returns the files of all splits of each target."""
    files = {}
    for i, name in enumerate(json_utils.loads(exec_properties["targets"])):
        uri = artifact_utils.get_single_uri(input_dict[f"{key}_{i}"])
        folders = (os.path.join(uri, f"Split-{split}") for split in storage.list_splits(uri))
        files[name] = [path for folder in folders for path in storage.list_files(folder, pattern)]
    return files


def _uri(input_dict, key: str) -> str | None:
    return artifact_utils.get_single_uri(input_dict[key]) if input_dict.get(key) else None


def _add_target(table: pa.Table, target: str) -> pa.Table:
    return table.append_column("target", pa.array([target] * len(table), pa.string()))


def _sort_targets(targets: pa.Table) -> pa.Table:
    """Sorts the images, so that the choice among equally near ones does not depend on the sharding."""
    return targets.sort_by([("target", "ascending"), ("split", "ascending"), ("source_id", "ascending")])


def _join_pairs(earlier: pa.Table, pairs: pa.Table) -> pa.Table:
    """Joins both tables. The pairs of an image are adjacent, the earlier ones first."""
    table = pa.concat_tables([earlier, pairs])
    first: dict[str, int] = {}
    order = [first.setdefault(source_id, len(first)) for source_id in table["source_id"].to_pylist()]
    return table.take(np.argsort(order, kind="stable")) if order else table


def _write_summary(counts: list[tuple[str, Counter]], uri: str, settings: dict, targets: dict) -> None:
    if "distance" in settings:
        totals = sum((shard_counts for _, shard_counts in counts), Counter())
        _tell_flat("source", images=totals["images",], without_hash=totals["without_hash",])
    path = os.path.join(uri, exclusions.SUMMARY_FILE)
    summary = exclusions.summary(settings, targets, counts)
    storage.write_text(path, summary)
    exclusions.check_left(json.loads(summary)["source"])


def _check_hashed(side: str, artifacts: list[types.Artifact]) -> None:
    """Raises a ValueError if the index of `side` was written without perceptual hashes."""
    if any(one.get_string_custom_property(index.HASHED_PROPERTY) == index.HASHED[False] for one in artifacts):
        raise ValueError(f"{side}: its index has no perceptual hashes; give its ExampleGen perceptual_hashes=True")


def _tell_flat(side: str, *, images: int, without_hash: int) -> None:
    if images and images == without_hash:
        logging.warning(
            "%s: none of its %d images has a perceptual hash, as images of a single grey have none; "
            "of its images only those with equal bytes are found",
            side,
            images,
        )
