"""SourceExampleGen and TargetExampleGen."""

import dataclasses

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
from components.code_version import code_version
from components.example_gen import executor, hierarchy_file, readers
from components.example_gen.images import check as image_check
from components.example_gen.readers.reader import Reader


class ExampleGenSpec(ComponentSpec):
    """What both ExampleGens take and give."""

    PARAMETERS = {
        "dataset": ExecutionParameter(type=str),  # a reader as JSON
        "hierarchy": ExecutionParameter(type=str),  # hierarchy_file.HierarchyFile as JSON, or null
        "shards": ExecutionParameter(type=int),  # record files a split; 0: as many as its size wants
        "max_pixels": ExecutionParameter(type=int),
        "max_rejected": ExecutionParameter(type=float),
        "perceptual_hashes": ExecutionParameter(type=int),  # 0 or 1
        "fingerprint": ExecutionParameter(type=str),  # of what is read: a part of the cache key, no more
        "code_version": ExecutionParameter(type=str),
    }
    INPUTS = {}
    OUTPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "index": ChannelParameter(type=ExampleIndex),
        "vocabulary": ChannelParameter(type=LabelVocabulary),
        "rejected": ChannelParameter(type=Rejected),
    }


class _ExampleGen(base_beam_component.BaseBeamComponent):
    """Reads labelled images of any kind that `components.example_gen.readers` knows.

    Outputs: `examples`, gzip TFRecords of `tf.train.Example`s; `index`, a Parquet row an example, aligned with them;
    `vocabulary`, the label names; `rejected`, what could not be taken, with the reasons. The same data give the same
    files, whatever the Beam runner and its workers.

    Args:
      dataset: what to read.
      hierarchy: what lies above its labels, in place of what the data set says itself.
      shards: record files a split; 0 makes files of about 128 MB.
      max_pixels: height × width of an image that is taken, at most `MOST_PIXELS`; a larger one is never decoded.
      max_rejected: share of the images that may be rejected; past it the run stops.
      perceptual_hashes: whether the index gets them, as the NearDuplicateFilter needs.

    Raises:
      ValueError: the data are not there, the hierarchy cannot be read, or an argument is out of its range.
    """

    SPEC_CLASS = ExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        *,
        dataset: Reader,
        hierarchy: hierarchy_file.HierarchyFile | None = None,
        shards: int = 0,
        max_pixels: int = image_check.MOST_PIXELS // 2,
        max_rejected: float = 0.01,
        perceptual_hashes: bool = False,
    ):
        if not 0 < max_pixels <= image_check.MOST_PIXELS:
            raise ValueError(f"max_pixels: {max_pixels} is not in 1..{image_check.MOST_PIXELS}")
        if not 0 <= max_rejected <= 1:
            raise ValueError(f"max_rejected: {max_rejected} is no share, from 0 to 1")
        fingerprints = [dataset.fingerprint()]
        if hierarchy:
            fingerprints.append(hierarchy_file.fingerprint(hierarchy))
        super().__init__(
            spec=ExampleGenSpec(
                dataset=readers.dumps(dataset),
                hierarchy=json_utils.dumps(dataclasses.asdict(hierarchy) if hierarchy else None),
                shards=shards,
                max_pixels=max_pixels,
                max_rejected=float(max_rejected),
                perceptual_hashes=int(perceptual_hashes),
                fingerprint="-".join(fingerprints),
                code_version=code_version(executor.__name__, type(dataset).__module__),
                examples=types.Channel(type=standard_artifacts.Examples),
                index=types.Channel(type=ExampleIndex),
                vocabulary=types.Channel(type=LabelVocabulary),
                rejected=types.Channel(type=Rejected),
            )
        )


class SourceExampleGen(_ExampleGen):
    """The ExampleGen of the source: needs the splits `train` and `eval`."""


class TargetExampleGen(_ExampleGen):
    """The ExampleGen of a target: needs the splits `train` and `eval`; `test` is reported where there is one."""
