"""Reads the anomalies that an ExampleValidator wrote."""

import os

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import storage


def read(uri: str) -> list[str]:
    """Returns a line 'split: feature: description' for each anomaly of the ExampleAnomalies at `uri`."""
    lines = []
    for path in sorted(tf.io.gfile.glob(os.path.join(uri, "Split-*", "SchemaDiff.pb"))):
        with tf.io.gfile.GFile(path, "rb") as file:
            split_anomalies = anomalies_pb2.Anomalies.FromString(file.read())
        split = storage.split_of(path)
        lines += [f"{split}: {key}: {info.description}" for key, info in sorted(split_anomalies.anomaly_info.items())]
        if split_anomalies.HasField("dataset_anomaly_info"):
            lines.append(f"{split}: {split_anomalies.dataset_anomaly_info.description}")
    return lines
