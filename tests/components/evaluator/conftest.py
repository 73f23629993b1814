"""A model that reads its probabilities from a table, and Examples for it."""

import os
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf


class LookUp(tf.Module):
    """Gives row `image/height` of `table`, [N, K], with the signature that this project's models have."""

    def __init__(self, table: np.ndarray):
        super().__init__()
        self.table = tf.constant(table, tf.float32)
        self.names = tf.constant([f"class {index}" for index in range(table.shape[1])])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(self, examples):
        rows = tf.io.parse_example(examples, {"image/height": tf.io.FixedLenFeature([], tf.int64)})["image/height"]
        probabilities = tf.gather(self.table, rows)
        top, indices = tf.math.top_k(probabilities, k=min(5, self.table.shape[1]))
        return {
            "probabilities": probabilities,
            "top_labels": tf.gather(self.names, indices),
            "top_probabilities": top,
        }


def _table(labels: Sequence[int], ranks: Sequence[int], by_rank: Sequence[float]) -> np.ndarray:
    """[N, K]: row i gives `labels[i]` the probability `by_rank[ranks[i]]`, and the other classes the rest in order."""
    rows = []
    for label, rank in zip(labels, ranks, strict=True):
        rest = [value for index, value in enumerate(by_rank) if index != rank]
        rows.append([*rest[:label], by_rank[rank], *rest[label:]])
    return np.array(rows)


@pytest.fixture
def write_model():
    def write(uri: str, labels: Sequence[int], ranks: Sequence[int], by_rank: Sequence[float]) -> None:
        """Writes a model to the Model artifact at `uri` that ranks the class of example i at `ranks[i]`, from 0."""
        module = LookUp(_table(labels, ranks, by_rank))
        tf.saved_model.save(module, os.path.join(uri, "Format-Serving"), signatures={"serving_default": module.serve})

    return write


@pytest.fixture
def write_examples():
    def write(uri: str, split: str, labels: Sequence[int]) -> None:
        """Writes example i with label `labels[i]` to two shards of `split` of the Examples artifact at `uri`.

        One is compressed, as of earlier versions: TFX tells it by the ending.
        """
        os.makedirs(os.path.join(uri, f"Split-{split}"))
        for shard, (suffix, compression) in enumerate([(".gz", "GZIP"), ("", "")]):
            path = os.path.join(uri, f"Split-{split}", f"data_tfrecord-{shard:05d}-of-00002{suffix}")
            with tf.io.TFRecordWriter(path, compression) as writer:
                for row in range(shard, len(labels), 2):
                    writer.write(_example(row, labels[row]).SerializeToString())

    return write


def _example(row: int, label: int) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"\xff\xd8 no image"])),
                "image/height": tf.train.Feature(int64_list=tf.train.Int64List(value=[row])),
                "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                "image/class/text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"class"])),
                "image/source_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"%d" % row])),
            }
        )
    )
