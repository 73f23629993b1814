"""SourceExampleGen and TargetExampleGen."""

import dataclasses

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
from components.code_version import code_version
from components.example_gen import examples, executor, hierarchy_file, readers
from components.example_gen.images import check as image_check
from components.example_gen.readers.reader import Reader


class ExampleGenSpec(ComponentSpec):
    """What both ExampleGens take and give."""

    PARAMETERS = {
        "dataset": ExecutionParameter(type=str),  # a reader as JSON
        "hierarchy": ExecutionParameter(type=str),  # hierarchy_file.HierarchyFile as JSON, or null
        "shards": ExecutionParameter(type=int),  # record files a split; 0: as many as its size wants
        "max_pixels": ExecutionParameter(type=int),
        "max_rejected": ExecutionParameter(type=float, optional=True),
        "check": ExecutionParameter(type=str),  # of examples.CHECKS
        "perceptual_hashes": ExecutionParameter(type=int),  # 0 or 1
        "working": ExecutionParameter(type=str, optional=True),
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

    Outputs: `examples`, uncompressed TFRecords of `tf.train.Example`s; `index`, a Parquet row an example, aligned with
    them; `vocabulary`, the label names; `rejected`, what could not be taken, with the reasons. The same data give the
    same files, whatever the Beam runner and its workers.

    Args:
      dataset: what to read.
      hierarchy: what lies above its labels, in place of what the data set says itself.
      shards: record files a split; 0 makes files of about 128 MB.
      max_pixels: height × width of an image that is taken, at most `MOST_PIXELS`; a larger one is never decoded.
      max_rejected: share of the images that may be rejected; past it the run stops. It is part of the cache key. None:
        what stands in the policy, see `working`, which is not; an ExampleValidator then checks what is reused.
      check: 'full' decodes each image; 'header' looks at its header only, for files that are known to be whole: damage
        then ends a training.
      perceptual_hashes: whether the index gets them, as the NearDuplicateFilter needs.
      working: folder of this node's working files, outside of what TFX makes anew for each execution: another attempt
        goes on from the parts that are finished. It is part of the cache key: name the same one in every run of a
        workspace. Beside it may lie what `components.example_gen.policy.write` writes: how much may be rejected, and
        the number of threads. None: working files are in the index, and another attempt begins anew.

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
        max_rejected: float | None = 0.01,
        check: str = "full",
        perceptual_hashes: bool = False,
        working: str | None = None,
    ):
        if not 0 < max_pixels <= image_check.MOST_PIXELS:
            raise ValueError(f"max_pixels: {max_pixels} is not in 1..{image_check.MOST_PIXELS}")
        if max_rejected is not None and not 0 <= max_rejected <= 1:
            raise ValueError(f"max_rejected: {max_rejected} is no share, from 0 to 1")
        if check not in examples.CHECKS:
            raise ValueError(f"check: {check!r}; allowed are {' and '.join(examples.CHECKS)}")
        fingerprints = [dataset.fingerprint()]
        if hierarchy:
            fingerprints.append(hierarchy_file.fingerprint(hierarchy))
        super().__init__(
            spec=ExampleGenSpec(
                dataset=readers.dumps(dataset),
                hierarchy=json_utils.dumps(dataclasses.asdict(hierarchy) if hierarchy else None),
                shards=shards,
                max_pixels=max_pixels,
                max_rejected=None if max_rejected is None else float(max_rejected),
                check=check,
                perceptual_hashes=int(perceptual_hashes),
                working=working,
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
