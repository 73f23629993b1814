"""Records by their places: what TensorFlow wrote is read, and damage is noticed."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components import records, storage

RECORDS = [b"one", b"", b"three" * 100, b"\0" * 40]


@pytest.fixture
def path(tmp_path) -> str:
    with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
        for record in RECORDS:
            writer.write(record)
    return str(tmp_path / "shard")


def test_offsets():
    assert records.compute_offsets([3, 0, 500, 40]).tolist() == [0, 19, 35, 551]
    assert records.compute_offsets([]).tolist() == []
    assert records.compute_offsets(np.array([5], np.int64)).dtype == np.int64


def test_each_record_by_its_place(path):
    offsets = records.compute_offsets([len(record) for record in RECORDS]).tolist()
    found = [records.read(path, offset, len(record)) for offset, record in zip(offsets, RECORDS, strict=True)]
    assert found == RECORDS


@pytest.mark.parametrize(("offset", "length"), [(1, 3), (0, 4), (19, 500), (551, 41), (10_000, 3)])
def test_a_place_of_another_file(path, offset, length):
    with pytest.raises(ValueError, match=rf"shard: no record of {length} bytes begins at byte {offset}"):
        records.read(path, offset, length)


@pytest.mark.parametrize("most_bytes", [1, 15, 16, 100, 1 << 20])
def test_the_records_of_a_range(path, most_bytes):
    ends = [0, 19, 35, 551, 607]
    for first, last in itertools.combinations(range(5), 2):
        assert list(records.stream(path, ends[first], ends[last], most_bytes)) == RECORDS[first:last]
    assert list(records.stream(path, 19, 19, most_bytes)) == []


@pytest.mark.parametrize("byte", [0, 9, 15, 17, 36, 100, 548])
def test_damage_is_noticed(path, byte):
    with open(path, "r+b") as file:
        file.seek(byte)
        (value,) = file.read(1)
        file.seek(byte)
        file.write(bytes([value ^ 4]))
    with pytest.raises(ValueError, match=r"shard: .* damaged"):
        list(records.stream(path, 0, 607, 1 << 20))


def test_a_file_that_was_cut_off(path):
    with open(path, "r+b") as file:
        file.truncate(500)
    with pytest.raises(ValueError, match=r"shard: the file is damaged or cut off at byte 35"):
        list(records.stream(path, 0, 607, 64))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=20), st.integers(1, 80))
def test_what_is_written_comes_back(tmp_path_factory, written, most_bytes):
    path = str(tmp_path_factory.mktemp("records") / "x" / "shard")
    storage.write_records(path, written)
    lengths = [len(record) for record in written]
    offsets = records.compute_offsets(lengths).tolist()
    assert list(records.stream(path, 0, sum(lengths) + len(lengths) * records.FRAME, most_bytes)) == written
    assert [records.read(path, *place) for place in zip(offsets, lengths, strict=True)] == written
