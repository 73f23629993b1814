"""Records into shards: none lost, none doubled, and always in the same place."""

import collections
import dataclasses
import pathlib

import apache_beam as beam
import pytest
from apache_beam.testing import util
from hypothesis import given, settings
from hypothesis import strategies as st

from components import sharding, storage
from components.sharding import KeyedRecord

# By its full name, which every Beam version knows.
RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
KEYED = st.lists(st.builds(KeyedRecord, st.integers(0, 2**64 - 1), st.binary(max_size=40)), max_size=60)


@pytest.mark.parametrize(("total", "shards"), [(0, 1), (1, 1), (128 << 20, 1), ((128 << 20) + 1, 2), (1 << 40, 8192)])
def test_shard_count(total, shards):
    assert sharding.shard_count(total) == shards


def test_shard_count_of_other_sizes():
    assert sharding.shard_count(1001, shard_bytes=100) == 11


class TestSmallChunks:
    @pytest.fixture(scope="class")
    def small_chunks(self):
        """Limits of a chunk that small tests reach."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sharding, "_CHUNK_BYTES", 50)
            yield 50

    @given(KEYED, st.integers(1, 20))
    def test_chunks_lose_and_double_nothing_and_keep_the_order(self, small_chunks, items, shards):
        by_shard = collections.defaultdict(list)
        for shard, chunk in sharding.chunk_records(iter(items), shards):
            assert chunk
            by_shard[shard] += chunk
        expected = {shard: [item for item in items if item.key % shards == shard] for shard in range(shards)}
        assert by_shard == {shard: chunk for shard, chunk in expected.items() if chunk}

    @pytest.mark.parametrize(("shards", "records_each"), [(1, [2] * 50), (4, [2] * 48 + [1] * 4), (25, [1] * 100)])
    def test_how_much_is_held_back(self, small_chunks, shards, records_each):
        taken = 0

        def items():
            nonlocal taken
            for key in range(100):
                taken += 1
                yield KeyedRecord(key, b"x" * 30)

        chunks, given_away = [], 0
        for _, chunk in sharding.chunk_records(items(), shards):
            # Eight chunks of 50 bytes, and the record that was one too many.
            assert 30 * (taken - given_away) <= 8 * small_chunks + 30
            given_away += len(chunk)
            chunks.append(len(chunk))
        # A chunk goes with the record that takes it over 50 bytes; of 25 shards none ever gets so far.
        assert sorted(chunks, reverse=True) == records_each


def test_elements_are_few():
    items = [KeyedRecord(key, b"x" * 1000) for key in range(1000)]
    assert len(list(sharding.chunk_records(items, 4))) == 4


@dataclasses.dataclass(frozen=True)
class Named(KeyedRecord):
    name: str


class RowsBesideRecords:
    """Writes the rows of a shard as text, and gives the records back in another order."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def __call__(self, shard: int, items: list[Named]) -> list[Named]:
        storage.write_text(str(self._folder / f"{shard}.txt"), " ".join(item.name for item in items))
        return items[::-1]


def write(folder: pathlib.Path, chunks, shards: int, on_shard=None) -> dict[str, list[bytes]]:
    """Returns file name → its records."""
    expected = [(shard, 0) for shard in range(shards)]
    for shard, chunk in chunks:
        expected[shard] = (shard, expected[shard][1] + len(chunk))
    with beam.Pipeline(RUNNER) as pipeline:
        counts = pipeline | beam.Create(chunks) | sharding.WriteShards(str(folder), shards, on_shard)
        util.assert_that(counts, util.equal_to(expected))
    return {path.name: list(storage.read_records(str(path))) for path in sorted(folder.iterdir())}


def test_records_stand_in_the_order_of_their_keys(tmp_path):
    chunks = [
        (1, [KeyedRecord(11, b"eleven"), KeyedRecord(3, b"three, b")]),
        (1, [KeyedRecord(3, b"three, a"), KeyedRecord(2**63 + 1, b"most")]),
        (0, [KeyedRecord(4, b"four")]),
        (0, [KeyedRecord(2, b"two")]),
    ]
    expected = {
        "data_tfrecord-00000-of-00002.gz": [b"two", b"four"],
        "data_tfrecord-00001-of-00002.gz": [b"three, a", b"three, b", b"eleven", b"most"],
    }
    assert write(tmp_path / "a", chunks, 2) == expected
    assert write(tmp_path / "b", [(shard, chunk[::-1]) for shard, chunk in chunks[::-1]], 2) == expected


def test_shards_without_a_record_are_written_too(tmp_path):
    assert write(tmp_path / "a", [(2, [KeyedRecord(2, b"two")])], 3) == {
        "data_tfrecord-00000-of-00003.gz": [],
        "data_tfrecord-00001-of-00003.gz": [],
        "data_tfrecord-00002-of-00003.gz": [b"two"],
    }


def test_what_is_made_of_a_shard_before_it_is_written(tmp_path):
    items = [Named(key, b"%d" % key, f"row {key}") for key in (9, 6, 3, 1)]
    records = write(tmp_path / "records", [(0, items[:3]), (1, items[3:])], 3, RowsBesideRecords(tmp_path / "rows"))
    assert list(records.values()) == [[b"9", b"6", b"3"], [b"1"], []]
    rows = {path.name: path.read_text() for path in (tmp_path / "rows").iterdir()}
    assert rows == {"0.txt": "row 3 row 6 row 9", "1.txt": "row 1", "2.txt": ""}


@settings(max_examples=5, deadline=None)
@given(KEYED, st.integers(1, 5), st.randoms(use_true_random=False))
def test_files_do_not_depend_on_the_order_of_what_comes(tmp_path_factory, items, shards, random):
    def of(items: list[KeyedRecord]) -> dict[str, list[bytes]]:
        chunks = list(sharding.chunk_records(items, shards))
        random.shuffle(chunks)
        return write(tmp_path_factory.mktemp("shards"), chunks, shards)

    files = of(items)
    assert files == of(random.sample(items, len(items)))
    assert sorted(record for records in files.values() for record in records) == sorted(i.record for i in items)
