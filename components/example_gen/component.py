"""SourceExampleGen and TargetExampleGen."""

import dataclasses

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components import artifacts
from components.code_version import code_version
from components.example_gen import executor, tfds_reader


class ExampleGenSpec(ComponentSpec):
    """What both ExampleGens take and give."""

    PARAMETERS = {
        "dataset": ExecutionParameter(type=str),  # tfds_reader.TfdsDataset as JSON
        "shards": ExecutionParameter(type=int),  # record files a split; 0: as many as its size wants
        "perceptual_hashes": ExecutionParameter(type=int),  # 0 or 1
        "fingerprint": ExecutionParameter(type=str),  # of the data set's files: a part of the cache key, no more
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "index": ChannelParameter(type=artifacts.ExampleIndex),
        "vocabulary": ChannelParameter(type=artifacts.LabelVocabulary),
    }


class _ExampleGen(base_beam_component.BaseBeamComponent):
    """Reads a prepared TFDS data set.

    Outputs: `examples`, gzip TFRecords of `tf.train.Example`s; `index`, a Parquet row an example, aligned with them;
    `vocabulary`, the label names. The same data give the same files, whatever the Beam runner and its workers.

    Args:
      dataset: what to read.
      shards: record files a split; 0 makes files of about 128 MB.
      perceptual_hashes: whether the index gets them, as the NearDuplicateFilter needs; every image is then decoded.

    Raises:
      ValueError: the data set is unknown or not prepared.
    """

    SPEC_CLASS = ExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(self, *, dataset: tfds_reader.TfdsDataset, shards: int = 0, perceptual_hashes: bool = False):
        super().__init__(
            spec=ExampleGenSpec(
                dataset=json_utils.dumps(dataclasses.asdict(dataset)),
                shards=shards,
                perceptual_hashes=int(perceptual_hashes),
                fingerprint=tfds_reader.fingerprint(dataset),
                code_version=code_version(executor.__name__),
                examples=types.Channel(type=standard_artifacts.Examples),
                index=types.Channel(type=artifacts.ExampleIndex),
                vocabulary=types.Channel(type=artifacts.LabelVocabulary),
            )
        )


class SourceExampleGen(_ExampleGen):
    """The ExampleGen of the source: needs the splits `train` and `eval`."""


class TargetExampleGen(_ExampleGen):
    """The ExampleGen of a target: needs the splits `train` and `eval`; `test` is reported where there is one."""
