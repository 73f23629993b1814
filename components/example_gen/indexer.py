"""Reads the Examples of another component, and writes what an ExampleGen writes."""

import os
from typing import Any

from tfx import types
from tfx.components.util import examples_utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils

from components import storage
from components.example_gen import executor, splits
from components.example_gen.readers.reader import Reader
from components.example_gen.readers.tfrecords import TFRecordReader

_GZIP = ".gz"


class Executor(executor.Executor):
    """See `components.example_gen.component.ExampleIndexer`."""

    def _reader(self, input_dict: dict[str, list[types.Artifact]], exec_properties: dict[str, Any]) -> Reader:
        """Returns the reader of `dataset`, whose path is relative to the Examples, with what they say of themselves."""
        reader = super()._reader(input_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["original_examples"])
        return _located(reader, examples)


def _located(reader: TFRecordReader, examples: types.Artifact) -> TFRecordReader:
    payload = examples_utils.get_payload_format(examples)
    if payload != example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE:
        raise ValueError(
            f"original_examples: their payload format is {example_gen_pb2.PayloadFormat.Name(payload)}, but only "
            "FORMAT_TF_EXAMPLE can be read; give Examples of tf.train.Examples"
        )
    named = {ours: rule.own for ours, rule in splits.rules(reader.splits).items() if rule.own is not None}
    for ours, own in named.items():
        if own not in examples.splits:
            raise ValueError(
                f"splits.{ours}: the Examples have no split {own!r}; they have {', '.join(examples.splits) or 'none'}"
            )
    paths = [
        path for split in (set(named.values()) or examples.splits) for path in storage.files(examples.path(split=split))
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
