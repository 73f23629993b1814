"""TFX's executor, with the vocabulary as the domain of the labels, and an error for anomalies if so configured."""

import json
import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as tfx_executor
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils, standard_component_specs

from components import storage
from components.artifacts import data_report, examples, rejected, vocabulary
from components.example_validator import anomalies


class Executor(tfx_executor.Executor):
    """See `components.example_validator.component`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        if input_dict.get("index"):
            _check_rejected(artifact_utils.get_single_uri(input_dict["index"]), float(exec_properties["max_rejected"]))
        path = os.path.join(artifact_utils.get_single_uri(input_dict["vocabulary"]), vocabulary.FILE_NAME)
        self._num_labels = len(vocabulary.loads(storage.read_text(path)))
        result = super().Do(input_dict, output_dict, exec_properties)
        lines = anomalies.read(artifact_utils.get_single_uri(output_dict["anomalies"]))
        if lines and exec_properties["on_anomalies"] == "stop":
            raise ValueError(
                f"on_anomalies: 'stop', and the data violate their schema ({'; '.join(lines)}); correct them, or set "
                "it to 'warn' to continue"
            )
        return result

    def _Validate(self, inputs: dict[str, Any], outputs: dict[str, Any]) -> anomalies_pb2.Anomalies:
        # The schema is the same for all data sets, so it cannot contain the number of labels.
        for feature in inputs[standard_component_specs.SCHEMA_KEY].feature:
            if feature.name == examples.LABELS:
                feature.int_domain.max = self._num_labels - 1
        return super()._Validate(inputs, outputs)


def _check_rejected(index_uri: str, max_rejected: float) -> None:
    summary = json.loads(storage.read_text(os.path.join(index_uri, data_report.SUMMARY_FILE)))
    rejected.check_share(data_report.count_rejected(summary), sum(summary["examples"].values()), max_rejected)
