"""Files of artifacts, on any file system that TensorFlow opens. What is written appears whole or not at all.

TensorFlow is imported inside the functions, since what reads a configuration imports this module.
On an object store a rename is a copy, but an upload already appears whole or not at all.
"""

import contextlib
import itertools
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import tensorflow as tf

# Photographs are compressed already: to inflate them again takes a third of the time of reading an image, and saves a
# hundredth of its size. Of small images a fifth is what the Example adds, which does compress.
_PHOTOGRAPH_BYTES = 8 << 10


def shard_name(stem: str, shard: int, shards: int, suffix: str) -> str:
    """Returns a name such as `data_tfrecord-00003-of-00016.gz`."""
    return f"{stem}-{shard:05d}-of-{shards:05d}{suffix}"


def list_files(folder: str, pattern: str = "*") -> list[str]:
    """Returns the paths of the files in `folder` that match `pattern`, in shard order.

    Raises:
      ValueError: there is none.
    """
    import tensorflow as tf

    found = sorted(tf.io.gfile.glob(os.path.join(folder, pattern)))
    if not found:
        raise ValueError(f"{folder}: no file named {pattern!r} in it; the artifact is incomplete or was deleted")
    return found


def write_text(path: str, text: str) -> None:
    """Writes `text` as UTF-8 to `path`."""
    import tensorflow as tf

    with _atomic_path(path) as temporary, tf.io.gfile.GFile(temporary, "w") as file:
        file.write(text)


def read_text(path: str) -> str:
    """Reads the UTF-8 text at `path`, without the byte order mark that some programs put before it."""
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "r") as file:
        return file.read().removeprefix("\ufeff")


def list_splits(uri: str) -> list[str]:
    """Returns the names of the splits that an artifact has folders of, sorted."""
    return [os.path.basename(folder.rstrip("/")).removeprefix("Split-") for folder in list_files(uri, "Split-*")]


def split_of(path: str) -> str:
    """Returns the split that the file `path` of an artifact belongs to, by the folder it lies in."""
    return os.path.basename(os.path.dirname(path)).removeprefix("Split-")


def write_table(path: str, table: pa.Table) -> None:
    """Writes `table` as Parquet to `path`."""
    import tensorflow as tf

    content = pa.BufferOutputStream()
    pq.write_table(table, content)
    with _atomic_path(path) as temporary, tf.io.gfile.GFile(temporary, "wb") as file:
        file.write(content.getvalue().to_pybytes())


def read_table(paths: str | Iterable[str], columns: Sequence[str] | None = None) -> pa.Table:
    """Reads the Parquet file or files at `paths`, one after the other, into one table."""
    import tensorflow as tf

    tables = []
    for path in [paths] if isinstance(paths, str) else paths:
        with tf.io.gfile.GFile(path, "rb") as file:
            content = pa.BufferReader(file.read())
        tables.append(pq.read_table(content, columns=list(columns) if columns else None))
    return pa.concat_tables(tables)


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Writes `records` as a gzip TFRecord file to `path`; if they are large, without compressing anything."""
    import tensorflow as tf

    records = iter(records)
    first = list(itertools.islice(records, 1))
    level = 0 if first and len(first[0]) > _PHOTOGRAPH_BYTES else 1
    options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=level)
    with _atomic_path(path) as temporary, tf.io.TFRecordWriter(temporary, options) as writer:
        for record in itertools.chain(first, records):
            writer.write(record)


def read_records(path: str) -> Iterator[bytes]:
    """Yields the records of the gzip TFRecord file at `path`, in its order."""
    import tensorflow as tf

    # In batches, because a step of the iterator costs more than a record.
    for batch in tf.data.TFRecordDataset(path, compression_type="GZIP").batch(64).as_numpy_iterator():
        yield from batch


def read_repeated_records(path: str, copies, *columns, block: int = 128) -> "tf.data.Dataset":
    """Returns the records of the gzip TFRecord file at `path`, each as often as `copies` says, in its order.

    Args:
      path: the shard, a string or a scalar string tensor.
      copies: int [records], 0 leaves a record out.
      columns: further [records] arrays, whose value for a record is given with it.
      block: how many records are decided on at once.

    Returns:
      A data set of (record, value, …) tuples, one value a column. It raises an `InvalidArgumentError` by its end if
      `copies` has another number of rows than the shard.
    """
    import tensorflow as tf

    times, beside = tf.convert_to_tensor(copies), [tf.convert_to_tensor(column) for column in columns]

    def take(number: tf.Tensor, records: tf.Tensor) -> tuple[tf.Tensor, ...]:
        rows = slice(number * block, (number + 1) * block)
        check = tf.debugging.assert_equal(
            tf.size(records),
            tf.size(times[rows]),
            message="the shard and its index have another number of rows; both must be of one ExampleGen's run",
        )
        with tf.control_dependencies([check]):
            return tuple(tf.repeat(values, times[rows]) for values in (records, *(column[rows] for column in beside)))

    # An empty block stands at the end, so that rows beyond the last record are seen too.
    blocks = tf.data.TFRecordDataset(path, compression_type="GZIP").batch(block)
    end = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string))
    return blocks.concatenate(end).enumerate().map(take).unbatch()


@contextlib.contextmanager
def _atomic_path(path: str) -> Iterator[str]:
    """Gives a path to write to, which takes the place of `path` in the end; an error leaves nothing of it behind."""
    import tensorflow as tf

    tf.io.gfile.makedirs(os.path.dirname(path))
    # Beside the target, so that the rename stays on one file system. No name is hidden from the `*` patterns by which
    # TFX and Beam read a split: what an error leaves has to go. Two workers may write the same shard at the same time.
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except BaseException:
        if tf.io.gfile.exists(temporary):
            tf.io.gfile.remove(temporary)
        raise
