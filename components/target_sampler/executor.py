"""Reads the target's index, and writes the plan."""

import os
from typing import Any

import numpy as np
import pyarrow as pa
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components import storage
from components.artifacts import index, plan, vocabulary
from components.target_sampler import sampling


class Executor(base_executor.BaseExecutor):
    """See `components.target_sampler.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        settings: dict[str, Any] = {
            "shots": int(exec_properties["shots"]),
            "replicate": bool(exec_properties["replicate"]),
            "seed": int(exec_properties["seed"]),
        }
        vocabulary_uri = artifact_utils.get_single_uri(input_dict["vocabulary"])
        names = vocabulary.loads(storage.read_text(os.path.join(vocabulary_uri, vocabulary.FILE_NAME))).names
        folder = os.path.join(artifact_utils.get_single_uri(input_dict["index"]), "Split-train")
        paths = storage.list_files(folder, index.FILE_PATTERN)
        shards = [storage.read_table(path, ["key", "labels"]) for path in paths]
        rows = pa.concat_tables(shards)
        images, labels = index.label_pairs(rows["labels"], len(names))
        if len(images) != len(rows):
            raise ValueError(
                f"index: {len(rows)} images have {len(images)} labels; a sample by class needs one label an image"
            )
        copies = sampling.draw_copies(labels, rows["key"].to_numpy(), len(names), **settings)
        plan_uri = artifact_utils.get_single_uri(output_dict["plan"])
        storage.write_table(
            os.path.join(plan_uri, plan.LABELS_FILE), sampling.labels_table(labels, copies, names, **settings)
        )
        parts = np.split(copies, np.cumsum([len(shard) for shard in shards])[:-1])
        for i, part in enumerate(parts):
            name = storage.shard_name("copies", i, len(shards), ".parquet")
            storage.write_table(os.path.join(plan_uri, "Split-train", name), plan.copies_table(part))
