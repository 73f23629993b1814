"""SourceExampleGen and TargetExampleGen."""

import dataclasses

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components import artifacts
from components.code_version import code_version
from components.example_gen import executor, hierarchy_file, tfds_reader


class ExampleGenSpec(ComponentSpec):
    """What both ExampleGens take and give."""

    PARAMETERS = {
        "dataset": ExecutionParameter(type=str),  # tfds_reader.TfdsDataset as JSON
        "hierarchy": ExecutionParameter(type=str),  # hierarchy_file.HierarchyFile as JSON, or null
        "shards": ExecutionParameter(type=int),  # record files a split; 0: as many as its size wants
        "fingerprint": ExecutionParameter(type=str),  # of the files that are read: a part of the cache key, no more
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
      hierarchy: what lies above its labels, in place of what the data set says itself.
      shards: record files a split; 0 makes files of about 128 MB.

    Raises:
      ValueError: the data set is unknown or not prepared, or the hierarchy cannot be read.
    """

    SPEC_CLASS = ExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        dataset: tfds_reader.TfdsDataset,
        hierarchy: hierarchy_file.HierarchyFile | None = None,
        shards: int = 0,
    ):
        fingerprints = [tfds_reader.fingerprint(dataset)]
        if hierarchy:
            fingerprints.append(hierarchy_file.fingerprint(hierarchy))
        super().__init__(
            spec=ExampleGenSpec(
                dataset=json_utils.dumps(dataclasses.asdict(dataset)),
                hierarchy=json_utils.dumps(dataclasses.asdict(hierarchy) if hierarchy else None),
                shards=shards,
                fingerprint="-".join(fingerprints),
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
