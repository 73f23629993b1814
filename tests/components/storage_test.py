"""Files are written whole or not at all; tables and records are read back as they were written."""

import hashlib
import pathlib

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from apache_beam.testing import util

from components import storage

# By its full name, which every Beam version knows.
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
TABLE = pa.table({"name": ["a", "ö", None], "copies": pa.array([1, 0, 2**31], pa.int64())})


def seen(folder: pathlib.Path) -> list[str]:
    """What TFX and Beam read of a split: all that `*` matches, hidden or not."""
    return sorted(pathlib.Path(path).name for path in tf.io.gfile.glob(f"{folder}/*"))


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    """A folder that does not exist yet, nor does the one above it."""
    return tmp_path / "5" / "Split-train"


def records_until(failure: Exception):
    yield b"one"
    yield b"two"
    raise failure


def test_names_of_shards():
    assert storage.shard_name("data_tfrecord", 3, 16) == "data_tfrecord-00003-of-00016"


def test_text(folder):
    path = str(folder / "labels.csv")
    storage.write_text(path, "ö\r\n漢\n\r")
    assert (folder / "labels.csv").read_bytes() == "ö\r\n漢\n\r".encode()
    assert storage.read_text(path) == "ö\r\n漢\n\r"
    assert seen(folder) == ["labels.csv"]


@pytest.mark.parametrize("records", [[b"one", b"", b"\x00" * 100_000, b"one"], []], ids=["some", "none"])
def test_records(folder, records):
    path = folder / "data"
    storage.write_records(str(path), iter(records))
    assert list(storage.read_records(str(path))) == records
    assert seen(folder) == ["data"]
    with beam.Pipeline(RUNNER) as pipeline:  # as TFX reads it
        util.assert_that(pipeline | beam.io.ReadFromTFRecord(str(path)), util.equal_to(records))


def test_the_same_records_give_the_same_file(folder):
    for name in ("a", "b"):
        storage.write_records(str(folder / name), [b"one" * 1000, b"two"])
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_a_table(folder):
    storage.write_table(str(folder / "a.parquet"), TABLE)
    assert storage.read_table(str(folder / "a.parquet")).equals(TABLE)
    assert storage.read_table(str(folder / "a.parquet"), ["copies"]).equals(TABLE.select(["copies"]))
    assert seen(folder) == ["a.parquet"]


def test_several_tables_are_read_in_the_order_given(folder):
    paths = [str(folder / name) for name in ("b.parquet", "a.parquet", "c.parquet")]
    for path, part in zip(paths, [TABLE.slice(0, 2), TABLE.slice(0, 0), TABLE.slice(2)], strict=True):
        storage.write_table(path, part)
    assert storage.read_table(iter(paths)).equals(TABLE)
    assert storage.read_table(reversed(paths), ["name"]).column("name").to_pylist() == [None, "a", "ö"]


@pytest.mark.parametrize("failure", [ValueError("a bad record"), KeyboardInterrupt()], ids=["error", "interrupted"])
def test_a_writer_that_fails_half_way_leaves_nothing(folder, failure):
    with pytest.raises(type(failure)):
        storage.write_records(str(folder / "data"), records_until(failure))
    assert seen(folder) == []


def test_a_writer_that_fails_half_way_leaves_what_was_there(folder):
    path = str(folder / "data")
    storage.write_records(path, [b"before"])
    with pytest.raises(ValueError):
        storage.write_records(path, records_until(ValueError()))
    assert list(storage.read_records(path)) == [b"before"]
    assert seen(folder) == ["data"]


def test_nothing_is_there_before_the_end(folder):
    def records():
        yield b"one"
        assert not (folder / "data").exists()
        yield b"two"

    storage.write_records(str(folder / "data"), records())
    assert list(storage.read_records(str(folder / "data"))) == [b"one", b"two"]


def test_two_writers_of_the_same_file_do_not_mix(folder):
    path = str(folder / "data")

    def records():
        yield b"outer one"
        storage.write_records(path, [b"inner"])
        yield b"outer two"

    storage.write_records(path, records())
    assert list(storage.read_records(path)) == [b"outer one", b"outer two"]
    assert seen(folder) == ["data"]


def test_what_is_there_is_replaced(folder):
    for text in ("first and longer", "second"):
        storage.write_text(str(folder / "a"), text)
    assert storage.read_text(str(folder / "a")) == "second"


def test_a_table_that_cannot_be_written_leaves_nothing(folder):
    (folder / "a.parquet").mkdir(parents=True)  # a folder stands in its place
    with pytest.raises(tf.errors.OpError):
        storage.write_table(str(folder / "a.parquet"), TABLE)
    assert seen(folder) == ["a.parquet"]


def test_files_in_shard_order(folder):
    for shard in (2, 0, 10, 1):
        storage.write_text(str(folder / storage.shard_name("index", shard, 11, ".parquet")), "")
    storage.write_text(str(folder / "labels.parquet"), "")
    names = [pathlib.Path(path).name for path in storage.list_files(str(folder), "index-*.parquet")]
    assert names == [f"index-{shard:05d}-of-00011.parquet" for shard in (0, 1, 2, 10)]
    assert len(storage.list_files(str(folder), "*")) == 5


def test_no_files(folder):
    storage.write_text(str(folder / "labels.csv"), "")
    with pytest.raises(ValueError) as error:
        storage.list_files(str(folder), "index-*.parquet")
    assert str(error.value) == (
        f"{folder}: no file named 'index-*.parquet' in it; the artifact is incomplete or was deleted"
    )
    with pytest.raises(ValueError, match="no file named '\\*' in it"):
        storage.list_files(str(folder / "not-there"), "*")


@pytest.mark.parametrize("block", [1, 2, 3, 5, 6, 128])
def test_repeated_records(tmp_path, block):
    path = str(tmp_path / "shard")
    storage.write_records(path, [b"a", b"b", b"c", b"d", b"e"])
    found = storage.read_repeated_records(path, np.array([0, 3, 1, 0, 2], np.int32), np.arange(5) / 2, block=block)
    assert list(found.as_numpy_iterator()) == [(b"b", 0.5)] * 3 + [(b"c", 1.0)] + [(b"e", 2.0)] * 2
    (none,) = {len(list(storage.read_repeated_records(path, np.zeros(5, np.int32), block=block)))}
    assert none == 0


@pytest.mark.parametrize("rows", [0, 3, 4, 6, 8])
@pytest.mark.parametrize("block", [1, 2, 5, 128])
def test_repeated_records_of_another_number_of_rows(tmp_path, rows, block):
    path = str(tmp_path / "shard")
    storage.write_records(path, [b"a", b"b", b"c", b"d", b"e"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="another number of rows"):
        list(storage.read_repeated_records(path, np.ones(rows, np.int32), block=block))


def test_the_hash_of_a_file(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"abc" * 2_000_000)  # more than is read at once
    assert storage.find_sha256(str(tmp_path / "a.h5")) == hashlib.sha256(b"abc" * 2_000_000).hexdigest()


def test_the_hash_of_a_folder_is_of_names_and_contents(tmp_path):
    def write(name: str, files: dict[str, bytes]) -> str:
        for file, content in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return storage.find_sha256(str(tmp_path / name))

    first = write("first", {"a": b"1", "b/c": b"2"})
    assert write("moved", {"b/c": b"2", "a": b"1"}) == first
    others = [{"a": b"2", "b/c": b"1"}, {"a": b"1", "b/d": b"2"}, {"a": b"1"}, {"a": b"1", "b/c": b"2", "d": b""}]
    assert len({first, *(write(f"other{i}", files) for i, files in enumerate(others))}) == 5


def test_the_hash_of_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"weights\.h5' is not there"):
        storage.find_sha256(str(tmp_path / "weights.h5"))
