"""The anomalies that an ExampleValidator wrote, for people."""

import os

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import storage


def read(uri: str) -> list[str]:
    """Returns a line an anomaly, 'split: feature: description', of the ExampleAnomalies at `uri`."""
    lines = []
    for path in sorted(tf.io.gfile.glob(os.path.join(uri, "Split-*", "SchemaDiff.pb"))):
        with tf.io.gfile.GFile(path, "rb") as file:
            found = anomalies_pb2.Anomalies.FromString(file.read())
        split = storage.split_of(path)
        lines += [f"{split}: {key}: {info.description}" for key, info in sorted(found.anomaly_info.items())]
        if found.HasField("dataset_anomaly_info"):
            lines.append(f"{split}: {found.dataset_anomaly_info.description}")
    return lines
