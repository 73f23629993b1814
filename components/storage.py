"""Files of artifacts, on any file system that TensorFlow opens. What is written appears whole or not at all.

On an object store a rename is a copy, but an upload already appears whole or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

# The bytes inside are JPEG or PNG already: a higher level costs time and saves nothing.
_RECORD_OPTIONS = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


def shard_name(stem: str, shard: int, shards: int, suffix: str) -> str:
    """Returns a name such as `data_tfrecord-00003-of-00016.gz`."""
    return f"{stem}-{shard:05d}-of-{shards:05d}{suffix}"


def files(folder: str, pattern: str = "*") -> list[str]:
    """Returns the paths of the files in `folder` that match `pattern`, in shard order.

    Raises:
      ValueError: there is none.
    """
    found = sorted(tf.io.gfile.glob(os.path.join(folder, pattern)))
    if not found:
        raise ValueError(f"{folder}: no file named {pattern!r} in it; the artifact is incomplete or was deleted")
    return found


def write_text(path: str, text: str) -> None:
    """Writes `text` as UTF-8 to `path`."""
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(_temporary(path), "w") as file:
        file.write(text)
    _publish(path)


def read_text(path: str) -> str:
    """Reads the UTF-8 text at `path`."""
    with tf.io.gfile.GFile(path, "r") as file:
        return file.read()


def write_table(path: str, table: pa.Table) -> None:
    """Writes `table` as Parquet to `path`."""
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.gfile.GFile(_temporary(path), "wb") as file:
        pq.write_table(table, file)
    _publish(path)


def read_table(paths: str | Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Reads the Parquet file or files at `paths`, one after the other, into one table."""
    tables = []
    for path in [paths] if isinstance(paths, str) else paths:
        with tf.io.gfile.GFile(path, "rb") as file:
            tables.append(pq.read_table(file, columns=list(columns) if columns else None))
    return pa.concat_tables(tables)


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Writes `records` as a gzip TFRecord file to `path`."""
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(_temporary(path), _RECORD_OPTIONS) as writer:
        for record in records:
            writer.write(record)
    _publish(path)


def read_records(path: str) -> Iterator[bytes]:
    """Yields the records of the gzip TFRecord file at `path`, in its order."""
    # In batches, because a step of the iterator costs more than a record.
    for batch in tf.data.TFRecordDataset(path, compression_type="GZIP").batch(64).as_numpy_iterator():
        yield from batch


def _temporary(path: str) -> str:
    # Beside the target, so that the rename stays on one file system; the dot hides it from `*` patterns.
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{os.getpid()}.tmp")


def _publish(path: str) -> None:
    tf.io.gfile.rename(_temporary(path), path, overwrite=True)
