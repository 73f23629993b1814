"""Reads the index and writes a FeatureStats.pb for each split."""

import os
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_data_validation as tfdv
from tfx import types
from tfx.components.statistics_gen import executor as tfx_executor
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils

from components import storage
from components.artifacts import index, vocabulary
from components.statistics_gen import features


class Executor(base_beam_executor.BaseBeamExecutor):
    """See `components.statistics_gen.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        index_uri = artifact_utils.get_single_uri(input_dict["index"])
        vocabulary_uri = artifact_utils.get_single_uri(input_dict["vocabulary"])
        names = vocabulary.loads(storage.read_text(os.path.join(vocabulary_uri, vocabulary.FILE_NAME))).names
        splits = storage.list_splits(index_uri)
        statistics = artifact_utils.get_single_instance(output_dict["statistics"])
        statistics.split_names = artifact_utils.encode_split_names(splits)
        with self._make_beam_pipeline() as pipeline:
            for split in splits:
                paths = storage.list_files(os.path.join(index_uri, f"Split-{split}"), index.FILE_PATTERN)
                output = artifact_utils.get_split_uri([statistics], split)
                _ = (
                    pipeline
                    | f"Index[{split}]" >> beam.Create(paths)
                    | f"Spread[{split}]" >> beam.Reshuffle()
                    | f"Features[{split}]" >> beam.Map(_features, names)
                    | f"Statistics[{split}]" >> tfdv.GenerateStatistics()
                    | f"Write[{split}]"
                    >> tfdv.WriteStatisticsToBinaryFile(os.path.join(output, tfx_executor.DEFAULT_FILE_NAME))
                )


def _features(path: str, names: tuple[str, ...]) -> pa.RecordBatch:
    return features.of_index(storage.read_table(path, features.COLUMNS), names)
