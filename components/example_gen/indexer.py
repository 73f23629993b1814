"""Reads the Examples of another component, and writes what an ExampleGen writes."""

import os
from typing import Any

from tfx import types
from tfx.components.util import examples_utils
from tfx.types import artifact_utils

from components import storage
from components.example_gen import executor, splits
from components.example_gen.readers.reader import Reader
from components.example_gen.readers.tfrecords import TFRecordReader

_GZIP = ".gz"
_TF_EXAMPLE = "FORMAT_TF_EXAMPLE"


class Executor(executor.Executor):
    """See `components.example_gen.component.ExampleIndexer`."""

    def _reader(self, input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> Reader:
        """Returns the reader of `dataset`, whose path is relative to the Examples, with what they say of themselves."""
        reader = TFRecordReader.model_validate_json(exec_properties["dataset"])
        examples = artifact_utils.get_single_instance(input_dict["original_examples"])
        return _point_at(reader, examples)


def _point_at(reader: TFRecordReader, examples: types.Artifact) -> TFRecordReader:
    payload = examples_utils.get_payload_format_string(examples)
    if payload != _TF_EXAMPLE:
        raise ValueError(
            f"original_examples: their payload format is {payload}, but only {_TF_EXAMPLE} can be read; give Examples "
            "that hold a tf.train.Example an image"
        )
    named = {ours: rule.own for ours, rule in splits.parse_rules(reader.splits).items() if rule.own is not None}
    for ours, own in named.items():
        if own not in examples.splits:
            raise ValueError(
                f"splits.{ours}: the Examples have no split {own!r}; they have {', '.join(examples.splits) or 'none'}"
            )
    paths = [
        path
        for split in (set(named.values()) or examples.splits)
        for path in storage.list_files(examples.path(split=split))
    ]
    compressed = {path.endswith(_GZIP) for path in paths}  # TFX too tells it by the ending
    if len(compressed) > 1:
        raise ValueError(
            f"original_examples: some files below {examples.uri} end with {_GZIP}, and some do not; all must, or none"
        )
    return reader.model_copy(
        update={
            "tfrecords": os.path.join(examples.uri, reader.tfrecords),
            "compression": "gzip" if compressed == {True} else "none",
        }
    )
