"""The draws: what index and plan make of record files, and how the records are read."""

import collections
import gzip
import itertools
import pathlib

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components import records, storage
from components.artifacts import plan
from trainer.data import draws
from trainer.data.draws import open_draws


@pytest.fixture
def write(tmp_path):
    def write(shards: list[list[bytes]], copies: list[list[int]] | None = None, *, index: bool = True, weights=None):
        """Writes record files, their index and a plan; returns the arguments of `open_draws`."""
        arguments: dict = {"patterns": [str(tmp_path / "records" / "data-*")]}
        for number, contents in enumerate(shards):
            storage.write_records(str(tmp_path / "records" / f"data-{number}"), contents)
            lengths = np.array([len(record) for record in contents], np.int64)
            places = pa.table({"offset": records.compute_offsets(lengths), "length": lengths})
            storage.write_table(str(tmp_path / "index" / f"index-{number}.parquet"), places)
            if copies is not None:
                own = None if weights is None else np.array(weights[number], np.float32)
                table = plan.copies_table(np.array(copies[number], np.int32), own)
                storage.write_table(str(tmp_path / "plan" / f"copies-{number}.parquet"), table)
        if index:
            arguments["index_pattern"] = str(tmp_path / "index" / "*")
        if copies is not None:
            arguments["plan_pattern"] = str(tmp_path / "plan" / "*")
        return arguments

    return write


SHARDS = [[b"a", b"bb" * 30, b""], [], [b"dddd", b"e", b"f" * 500, b"gg"]]
COPIES = [[2, 0, 1], [], [0, 3, 1, 0]]


def read_pass(drawn: draws.Draws, number: int = 0, seed: int = 0) -> list[bytes]:
    return drawn.read(drawn.rows(number * len(drawn) + np.arange(len(drawn)), seed))


@pytest.mark.parametrize("index", [True, False], ids=["index", "no index"])
def test_a_pass_has_each_example_as_often_as_the_plan_says(write, index):
    drawn = open_draws(**write(SHARDS, COPIES, index=index))
    assert len(drawn) == 7
    assert drawn.lengths.tolist() == [1, 0, 1, 500]
    expected = {b"a": 2, b"": 1, b"e": 3, b"f" * 500: 1}
    for number in range(3):
        assert collections.Counter(read_pass(drawn, number)) == expected
    assert len({tuple(read_pass(drawn, number)) for number in range(5)}) == 5


def test_without_a_plan_each_comes_once(write):
    drawn = open_draws(**write(SHARDS))
    assert sorted(read_pass(drawn)) == sorted(record for shard in SHARDS for record in shard)
    assert drawn.weights is None


def test_weights_stand_beside_what_is_taken(write):
    drawn = open_draws(**write(SHARDS, COPIES, weights=[[0.5, 9, 1.5], [], [9, 2.5, 3.5, 9]]))
    assert drawn.weights.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert drawn.read(np.array([2, 0])) == [b"e", b"a"]


def test_compressed_files_are_unpacked_and_deleted(write, tmp_path):
    arguments = write(SHARDS, COPIES)
    expected = read_pass(open_draws(**arguments))
    for path in sorted((tmp_path / "records").iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    drawn = open_draws(**arguments)
    assert read_pass(drawn) == expected
    folder = pathlib.Path(drawn.unpacked.name)
    assert len(list(folder.iterdir())) == 3
    drawn.unpacked.cleanup()
    assert not folder.exists()


def count_reads(monkeypatch) -> list[tuple[str, int, int]]:
    reads = []
    read_range = storage.read_range

    def counted(path: str, start: int, size: int) -> bytes:
        reads.append((pathlib.Path(path).name, start, size))
        return read_range(path, start, size)

    monkeypatch.setattr(storage, "read_range", counted)
    return reads


def test_small_neighbours_are_read_together_and_each_once(write, monkeypatch):
    drawn = open_draws(**write([[b"x" * 1000] * 40, [b"y" * 1000] * 40]))
    reads = count_reads(monkeypatch)
    # The records from 2 to 12 lie less than 16 kB apart, from 30 to 39 they lie further away, and 41 in another file.
    found = drawn.read(np.array([12, 2, 2, 39, 30, 41, 12]))
    assert [len(record) for record in found] == [1000] * 7
    frame = 1000 + records.FRAME
    expected = {("data-0", 2 * frame, 11 * frame), ("data-0", 30 * frame, 10 * frame), ("data-1", frame, frame)}
    assert (set(reads), len(reads)) == (expected, 3)


def test_a_read_is_no_longer_than_a_megabyte(write, monkeypatch):
    drawn = open_draws(**write([[bytes([i % 256]) * 10_000 for i in range(250)]]))
    reads = count_reads(monkeypatch)
    assert [record[0] for record in drawn.read(np.arange(250))] == [i % 256 for i in range(250)]
    assert len(reads) == 3
    assert max(size for _, _, size in reads) < (1 << 20) + 10_000 + records.FRAME


def test_of_large_records_nothing_is_read_that_is_not_wanted(write, monkeypatch):
    drawn = open_draws(**write([[b"x" * 20_000] * 9]))
    reads = count_reads(monkeypatch)
    drawn.read(np.array([0, 2, 3, 8]))
    assert sum(size for _, _, size in reads) == 4 * (20_000 + records.FRAME)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_whatever_is_asked_for_comes_in_its_order(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("draws")
    sizes = data.draw(st.lists(st.lists(st.sampled_from([0, 3, 900, 17_000]), max_size=9), min_size=1, max_size=3))
    contents = [bytes([i, j]) * (size // 2) for i, shard in enumerate(sizes) for j, size in enumerate(shard)]
    if not contents:
        return
    ends = np.cumsum([0, *map(len, sizes)])
    for number, (start, stop) in enumerate(itertools.pairwise(ends)):
        storage.write_records(str(folder / f"data-{number}"), contents[start:stop])
    drawn = open_draws([str(folder / "*")])
    rows = data.draw(st.lists(st.integers(0, len(contents) - 1), min_size=1, max_size=30))
    assert drawn.read(np.array(rows)) == [contents[row] for row in rows]


def expected_repeats(copies: np.ndarray, batch: int) -> float:
    """Returns the share of a batch's draws that repeat an earlier one, if the draws are independent."""
    shares = copies / copies.sum()
    return 1 - (1 - (1 - shares) ** batch).sum() / batch


@pytest.mark.parametrize(
    "copies",
    [
        np.full(5000, 1),
        np.full(2000, 8),
        np.full(500, 30),
        np.full(100, 300),
        np.full(60, 1000),
        np.r_[np.full(30, 1000), np.full(300, 30), np.full(4000, 1), np.zeros(4000, int)],
    ],
    ids=["1", "8", "30", "300", "1000", "0 to 1000"],
)
def test_a_batch_repeats_no_more_than_independent_draws(copies):
    taken = copies[copies > 0]
    count = len(taken)
    drawn = draws.Draws(["file"], np.zeros(count, np.int32), np.zeros(count), np.ones(count), np.cumsum(taken))
    batch = 256
    batches = drawn.rows(np.arange(60 * batch), seed=1).reshape(60, batch)
    repeats = np.mean([1 - len(np.unique(rows)) / batch for rows in batches])
    assert repeats <= 1.1 * expected_repeats(copies, batch)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("plan", "plan: 2 files for 3 record files"),
        ("index", "index: 2 files for 3 record files"),
        ("records", "data-2: its index has 4 rows, but the shard has another number of records"),
        ("rows", r"plan: .*copies-2.parquet has 3 rows, but .*data-2 4 records"),
    ],
)
def test_files_of_another_source(write, tmp_path, change, message):
    arguments = write(SHARDS, COPIES)
    if change == "records":
        storage.write_records(str(tmp_path / "records" / "data-2"), [*SHARDS[2], b"more"])
    elif change == "rows":
        table = plan.copies_table(np.array([1, 1, 1], np.int32))
        storage.write_table(str(tmp_path / "plan" / "copies-2.parquet"), table)
    else:
        next((tmp_path / change).iterdir()).unlink()
    with pytest.raises(ValueError, match=message):
        open_draws(**arguments)


def test_a_plan_that_takes_nothing(write):
    with pytest.raises(ValueError, match=r"plan: .* takes no example of .*; make a plan with at least one"):
        open_draws(**write(SHARDS, [[0, 0, 0], [], [0, 0, 0, 0]]))


def test_a_damaged_record_is_named(write, tmp_path):
    arguments = write(SHARDS)
    path = tmp_path / "records" / "data-2"
    content = bytearray(path.read_bytes())
    content[14] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="data-2: the record at byte 0 is damaged"):
        read_pass(open_draws(**arguments))


def test_index_and_no_index_are_the_same(write):
    first, second = (open_draws(**write(SHARDS, COPIES, index=index)) for index in (True, False))
    for name in ("file", "offsets", "lengths", "ends"):
        ours, theirs = getattr(first, name), getattr(second, name)
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()
    assert tf.io.gfile.exists(first.files[0])
