"""Files of artifacts, on any file system that TensorFlow opens. What is written appears whole or not at all.

TensorFlow is imported inside the functions, since what reads a configuration imports this module.
On an object store a rename is a copy, but an upload already appears whole or not at all.
"""

import contextlib
import hashlib
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401 - Arrow before 14.0.1 runs what a file says about its types (CVE-2023-47248)

if TYPE_CHECKING:
    import tensorflow as tf

RECORD_STEM = "data_tfrecord"  # the name that TFX's own ExampleGens give
RECORD_PATTERN = f"{RECORD_STEM}-*-of-*"
_HASHED_AT_ONCE = 1 << 22  # bytes
_GZIP = ".gz"  # the ending of compressed record files, which earlier versions wrote


def shard_name(stem: str, shard: int, shards: int, suffix: str = "") -> str:
    """Returns a name such as `data_tfrecord-00003-of-00016` or `index-00003-of-00016.parquet`."""
    return f"{stem}-{shard:05d}-of-{shards:05d}{suffix}"


def list_files(folder: str, pattern: str) -> list[str]:
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
    tables = []
    for path in [paths] if isinstance(paths, str) else paths:
        with _open(path) as file:
            content = pa.BufferReader(file.read())
        tables.append(pq.read_table(content, columns=list(columns) if columns else None))
    return pa.concat_tables(tables)


def _open(path: str) -> IO[bytes]:
    """Opens a file to read it; TensorFlow, whose import takes seconds, is needed only for what is not on a disk."""
    if not is_remote(path):
        return open(path, "rb")
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Writes `records` as an uncompressed TFRecord file to `path`."""
    import tensorflow as tf

    with _atomic_path(path) as temporary, tf.io.TFRecordWriter(temporary) as writer:
        for record in records:
            writer.write(record)


def read_records(path: str) -> Iterator[bytes]:
    """Yields the records of the TFRecord file at `path`, in its order; what ends in .gz is decompressed.

    Raises:
      tf.errors.DataLossError: the file is damaged.
    """
    import tensorflow as tf

    # A step of a data set costs more than a record, and a batch of large records is too much to hold.
    return tf.compat.v1.io.tf_record_iterator(path, tf.io.TFRecordOptions("GZIP" if is_compressed(path) else ""))


def is_compressed(path: str) -> bool:
    """Returns whether the record file at `path` is compressed, as its name says."""
    return path.endswith(_GZIP)


def record_dataset(path) -> "tf.data.Dataset":
    """Returns the records of the TFRecord file at `path`, a string or a scalar string tensor, as a data set."""
    import tensorflow as tf

    is_gzip = tf.strings.regex_full_match(path, f".*{re.escape(_GZIP)}")
    return tf.data.TFRecordDataset(path, compression_type=tf.where(is_gzip, "GZIP", ""))


def is_remote(path: str) -> bool:
    """Returns whether `path` names its file system, as gs://… does."""
    return "://" in path


def reading_threads(path: str) -> int:
    """Returns how many threads should read files such as `path`.

    An object store answers after tens of milliseconds, to each of many. A disk is fast enough for two, and memory that
    threads free goes back to the system later the more of them there are.
    """
    return 8 if is_remote(path) else 2


def find_sha256(path: str) -> str:
    """Returns the SHA-256 of the file at `path`, or of the names and contents of a folder's files: 64 hex digits.

    Raises:
      ValueError: there is nothing at `path`.
    """
    import tensorflow as tf

    if not tf.io.gfile.isdir(path):
        if not tf.io.gfile.exists(path):
            raise ValueError(f"{path!r} is not there; correct the path")
        return _digest_of(path)
    found = hashlib.sha256()
    names = (os.path.join(folder, name) for folder, _, names in tf.io.gfile.walk(path) for name in names)
    for name in sorted(names):
        found.update(f"{name.removeprefix(path).strip('/')}\0{_digest_of(name)}\n".encode())
    return found.hexdigest()


def _digest_of(path: str) -> str:
    found = hashlib.sha256()
    with _open(path) as file:
        while block := file.read(_HASHED_AT_ONCE):
            found.update(block)
    return found.hexdigest()


def read_range(path: str, start: int, size: int) -> bytes:
    """Returns `size` bytes of the file at `path` from `start` on; fewer where it ends before."""
    if is_remote(path):
        import tensorflow as tf

        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(start)
            return file.read(size)
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), size, start)


def read_repeated_records(path: str, copies, *columns, block: int = 128) -> "tf.data.Dataset":
    """Returns the records of the TFRecord file at `path`, each as often as `copies` says, in its order.

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
    blocks = record_dataset(path).batch(block)
    end = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string))
    return blocks.concatenate(end).enumerate().map(take).unbatch()


@contextlib.contextmanager
def _atomic_path(path: str) -> Iterator[str]:
    """Gives a path to write to, which takes the place of `path` in the end; an error leaves nothing of it behind."""
    import tensorflow as tf

    folder = os.path.dirname(path)
    if is_remote(path) and not path.startswith("hdfs://"):
        # An object store has no rename: what is written there appears when it is closed. Written once, it costs half.
        tf.io.gfile.makedirs(folder)
        try:
            yield path
        except BaseException:
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(path)  # closing it has made what was there so far appear
            raise
        return
    # On the same file system, but not in the same folder: no name is hidden from the `*` by which TFX and Beam read a
    # split, and a killed process leaves its file. Two workers may write the same shard at the same time.
    temporary = os.path.join(os.path.dirname(folder), f".tmp-{uuid.uuid4().hex}")
    tf.io.gfile.makedirs(folder)
    tf.io.gfile.makedirs(temporary)
    try:
        yield os.path.join(temporary, os.path.basename(path))
        tf.io.gfile.rename(os.path.join(temporary, os.path.basename(path)), path, overwrite=True)
    finally:
        tf.io.gfile.rmtree(temporary)
