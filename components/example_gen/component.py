"""SourceExampleGen, TargetExampleGen and ExampleIndexer."""

import dataclasses
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import json_utils

from components.artifacts.types import ExampleIndex, LabelVocabulary, Rejected
from components.code_version import code_version
from components.deep_images import SCALES, Scale16Bit
from components.example_gen import examples, executor, hierarchy_file, indexer, readers
from components.example_gen.images import check as image_check
from components.example_gen.readers import listing, tfrecords
from components.example_gen.readers.labels import LabelFormat
from components.example_gen.readers.reader import Reader, Splits


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
        "scale_16_bit": ExecutionParameter(type=str),  # of deep_images.SCALES
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


class ExampleIndexerSpec(ComponentSpec):
    """What ExampleIndexer takes and gives."""

    PARAMETERS = ExampleGenSpec.PARAMETERS
    INPUTS = {"original_examples": ChannelParameter(type=standard_artifacts.Examples)}  # no name may stand twice
    OUTPUTS = ExampleGenSpec.OUTPUTS


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
      scale_16_bit: what becomes of images of 16 bits: 'max' keeps their high bytes, so that 65535 is white; 'range'
        stretches the values of each image to black and white.
      working: folder of this node's working files, outside of what TFX makes anew for each execution: another attempt
        goes on from the parts that are finished. It is part of the cache key: name the same one in every run of a
        workspace. Beside it may lie what `components.example_gen.policy.write_policy` writes: how much may be rejected,
        and the number of threads. None: working files are in the index, and another attempt begins anew.

    Raises:
      ValueError: the data are not there, the hierarchy cannot be read, or an argument is out of its range.
    """

    SPEC_CLASS = ExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    needs_labels = True

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
        scale_16_bit: Scale16Bit = "max",
        working: str | None = None,
    ):
        if not isinstance(dataset, Reader):
            raise ValueError(
                f"dataset: {dataset!r} is no reader; make one, for example by "
                'components.example_gen.readers.make_reader({"folder": …, "splits": …})'
            )
        if self.needs_labels and not dataset.is_labelled():
            raise ValueError("dataset: it has no splits, so that its images have no labels; give it train and eval")
        super().__init__(
            spec=ExampleGenSpec(
                fingerprint=_fingerprint(dataset.fingerprint(), hierarchy),
                code_version=code_version(executor.__name__, type(dataset).__module__),
                **_settings(
                    dataset,
                    hierarchy,
                    shards,
                    max_pixels,
                    max_rejected,
                    check,
                    perceptual_hashes,
                    scale_16_bit,
                    working,
                ),
                **_outputs(),
            )
        )


class SourceExampleGen(_ExampleGen):
    """The ExampleGen of the source: needs the splits `train` and `eval`.

    Example:
      from components.example_gen import readers

      source = SourceExampleGen(
          dataset=readers.make_reader({"folder": "data/animals", "splits": {"train": 0.9, "eval": 0.1}}),
          perceptual_hashes=True,
      )
    """


class TargetExampleGen(_ExampleGen):
    """The ExampleGen of a target: needs the splits `train` and `eval`; `test` is reported where there is one.

    A folder without splits, whose images are all `train` and have no labels, is enough for a PriorEstimator.

    Example:
      from components.example_gen import readers

      target = TargetExampleGen(
          dataset=readers.make_reader(
              {"manifest": "data/pets.csv", "splits": {"train": 0.8, "eval": 0.1, "test": 0.1}}
          ),
          perceptual_hashes=True,
      )
    """

    needs_labels = False


class ExampleIndexer(base_beam_component.BaseBeamComponent):
    """Makes of the Examples of any other ExampleGen what the ExampleGens of this package give.

    For pipelines that have Examples already: with its outputs, the other components work. The labels are names; or
    integers, which count the lines of a file of `names`; or vectors with a place for each name.

    Example:
      example_gen = tfx.components.ImportExampleGen(input_base="data/records")
      source = ExampleIndexer(
          original_examples=example_gen.outputs["examples"],
          splits={"train": "train", "eval": "eval"},
          image_key="photo",
          label_key="species",
          perceptual_hashes=True,
      )

    Args:
      original_examples: `tf.train.Example`s with an encoded image and its labels, in files with or without gzip.
      splits: our train, eval and test: names of the splits of `original_examples`, or a part of one by the hash of the
        images (train[:90%]); or shares of all images (0.8), by that hash. Train and eval are needed, test is optional.
      image_key: feature with the encoded image.
      label_key: feature with the labels.
      id_key: feature that identifies an image; None: a hash of the image does.
      label_format, first_label, names, encoding: as of TFRecords in docs/configuration.md: what the labels are, which
        index the first name has, the file of names, and how that is encoded.
      several_labels: whether an image may have more than one label. The labels of equal images are then merged.
      hierarchy: what lies above the labels.
      shards: record files a split; 0 makes files of about 128 MB.
      max_pixels: height × width of an image that is taken, at most `MOST_PIXELS`; a larger one is never decoded.
      max_rejected, check, scale_16_bit, working: as of SourceExampleGen.
      perceptual_hashes: whether the index gets them, as the NearDuplicateFilter needs.

    Outputs: as of SourceExampleGen: `examples`, in our keys; `index`, `vocabulary` and `rejected`.

    Raises:
      TypeError: `original_examples` is no channel of Examples.
      ValueError: `names` or the hierarchy cannot be read, or an argument is out of its range.
    """

    SPEC_CLASS = ExampleIndexerSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(indexer.Executor)

    def __init__(
        self,
        *,
        original_examples: types.BaseChannel,
        splits: Splits | None = None,
        image_key: str = "image/encoded",
        label_key: str = "image/class/label",
        id_key: str | None = None,
        label_format: LabelFormat | None = None,
        first_label: int = 0,
        names: str | None = None,
        encoding: str = "utf-8",
        several_labels: bool = False,
        hierarchy: hierarchy_file.HierarchyFile | None = None,
        shards: int = 0,
        max_pixels: int = image_check.MOST_PIXELS // 2,
        max_rejected: float | None = 0.01,
        check: str = "full",
        perceptual_hashes: bool = False,
        scale_16_bit: Scale16Bit = "max",
        working: str | None = None,
    ):
        splits = splits or {"train": "train", "eval": "eval"}
        named = any(isinstance(split, str) for split in splits.values())
        reader = tfrecords.TFRecordReader(
            # Below the Examples, whose place is known when it runs.
            tfrecords="Split-{split}/*" if named else "Split-*/*",
            splits=splits,
            image_key=image_key,
            label_key=label_key,
            id_key=id_key,
            label_format=label_format,
            first_label=first_label,
            names=names,
            encoding=encoding,
            several_labels=several_labels,
        )
        super().__init__(
            spec=ExampleIndexerSpec(
                original_examples=original_examples,
                fingerprint=_fingerprint(listing.hash_entries(reader.names_entries()), hierarchy),
                code_version=code_version(indexer.__name__),
                **_settings(
                    reader, hierarchy, shards, max_pixels, max_rejected, check, perceptual_hashes, scale_16_bit, working
                ),
                **_outputs(),
            )
        )


def _settings(
    dataset: Reader,
    hierarchy: hierarchy_file.HierarchyFile | None,
    shards: int,
    max_pixels: int,
    max_rejected: float | None,
    check: str,
    perceptual_hashes: bool,
    scale_16_bit: Scale16Bit,
    working: str | None,
) -> dict[str, Any]:
    if not 0 < max_pixels <= image_check.MOST_PIXELS:
        raise ValueError(f"max_pixels: {max_pixels} is not in 1..{image_check.MOST_PIXELS}")
    if max_rejected is not None and not 0 <= max_rejected <= 1:
        raise ValueError(f"max_rejected: {max_rejected} is no share, from 0 to 1")
    if check not in examples.CHECKS:
        raise ValueError(f"check: {check!r}; allowed are {' and '.join(examples.CHECKS)}")
    if scale_16_bit not in SCALES:
        raise ValueError(f"scale_16_bit: {scale_16_bit!r}; allowed are {' and '.join(SCALES)}")
    return {
        "dataset": readers.dumps(dataset),
        "hierarchy": json_utils.dumps(dataclasses.asdict(hierarchy) if hierarchy else None),
        "shards": shards,
        "max_pixels": max_pixels,
        "max_rejected": None if max_rejected is None else float(max_rejected),
        "check": check,
        "perceptual_hashes": int(perceptual_hashes),
        "scale_16_bit": scale_16_bit,
        "working": working,
    }


def _fingerprint(of_data: str, hierarchy: hierarchy_file.HierarchyFile | None) -> str:
    return "-".join([of_data, *([hierarchy_file.fingerprint(hierarchy)] if hierarchy else [])])


def _outputs() -> dict[str, types.Channel]:
    return {key: types.Channel(type=parameter.type) for key, parameter in ExampleGenSpec.OUTPUTS.items()}
