"""SchemaImporter: a schema, which data are validated against, as an artifact."""

import os
from typing import Any

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components import storage
from components.code_version import code_version

FILE_NAME = "schema.pbtxt"  # as TFX's components name it


class Executor(base_executor.BaseExecutor):
    """Writes the schema."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        folder = artifact_utils.get_single_uri(output_dict["schema"])
        storage.write_text(os.path.join(folder, FILE_NAME), exec_properties["text"])


class SchemaImporterSpec(ComponentSpec):
    """Outputs and parameters of SchemaImporter."""

    PARAMETERS = {"text": ExecutionParameter(type=str), "code_version": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"schema": ChannelParameter(type=standard_artifacts.Schema)}


class SchemaImporter(base_component.BaseComponent):
    """Gives a schema to an ExampleValidator.

    The schema itself is the parameter, not where it is: containers on a cluster need no file of the machine that
    submits a run, and a schema with the same content is never checked against again.

    Example:
      schema = SchemaImporter(text=(schemas.folder("source") / "schema.pbtxt").read_text())

    Args:
      text: a TFMD Schema in protobuf's text format.

    Outputs: `schema`.

    Raises:
      ValueError: `text` is no schema.
    """

    SPEC_CLASS = SchemaImporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, text: str):
        try:
            text_format.Parse(text, schema_pb2.Schema())
        except text_format.ParseError as error:
            raise ValueError(f"text: it is no schema in protobuf's text format: {error}") from error
        super().__init__(
            spec=SchemaImporterSpec(
                text=text,
                code_version=code_version(__name__),
                schema=types.Channel(type=standard_artifacts.Schema),
            )
        )
