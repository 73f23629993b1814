"""Runs and their merge: whatever the parts and whatever is held, a shard is the same."""

import dataclasses
import itertools
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components import records, storage
from components.artifacts import index, rejected
from components.artifacts.rejected import Rejection
from components.example_gen import examples, merging
from components.example_gen.examples import Indexed
from components.example_gen.runs import RunWriter

BUCKETS = 2
NAMES = tuple(f"{i}" for i in range(601))


def example(source_id: str, content: bytes) -> Indexed:
    row = {
        "source_id": source_id,
        "key": index.id_key(source_id),
        "labels": [len(content)],
        "split": "train",
        "format": "png",
        "height": 1,
        "width": 2,
        "content_hash": index.content_hash(content),
    }
    return Indexed(content, row)


def refused(source_id: str) -> Indexed:
    return Indexed(b"", Rejection(source_id, None, "empty", "0 bytes").row("train"))


ITEMS = st.lists(
    st.one_of(
        st.builds(example, st.sampled_from("abcdefg"), st.sampled_from([b"x", b"y", b"zz" * 300])),
        st.builds(refused, st.sampled_from("abcxyz")),
    ),
    max_size=40,
)


def merge(folder: pathlib.Path, parts: list[list[Indexed]], held_bytes: int) -> list[tuple[list, list, list]]:
    """Returns (records, rows, rejections) of each bucket."""
    pieces = []
    for number, items in enumerate(parts):
        writer = RunWriter(str(folder / "runs"), f"{number}", held_bytes)
        for item in items:
            writer.add(item.key % BUCKETS, item)
        pieces += writer.finish()
    found = []
    for bucket in range(BUCKETS):
        paths = [str(folder / "made" / f"{bucket}-{name}") for name in ("records", "index", "rejected")]
        merging.write_shard(str(folder / "runs"), [piece for piece in pieces if piece.bucket == bucket], *paths, NAMES)
        tables = [storage.read_table(path).to_pylist() for path in paths[1:]]
        found.append((list(storage.read_records(paths[0])), *tables))
        places = [(row["offset"], row["length"]) for row in tables[0]]
        assert [records.read(paths[0], *place) for place in places] == found[-1][0]
    return found


def in_memory(items: list[Indexed]) -> list[tuple[list, list, list]]:
    """What `merge` has to give, by sorting all items at once."""
    found = []
    for bucket in range(BUCKETS):
        kept: dict[str, Indexed] = {}
        rejections = []
        of_bucket = [item for item in items if item.key % BUCKETS == bucket]
        for item in sorted(of_bucket, key=lambda item: item.order):
            if not item.image:
                rejections.append(item.row)
            elif (first := kept.setdefault(item.row["source_id"], item)) is not item:
                same = item.row["content_hash"] == first.row["content_hash"]
                reason = "duplicate_image" if same else "duplicate_id"
                rejections.append({"source_id": item.row["source_id"], "reason": reason})
        made = [examples.make_record(item.image, item.row, NAMES) for item in kept.values()]
        found.append((made, [item.row for item in kept.values()], rejections))
    return found


@settings(max_examples=40, deadline=None)
@given(ITEMS, st.integers(1, 4), st.sampled_from([1, 5000, 1 << 20]))
def test_a_shard_does_not_depend_on_parts_and_runs(tmp_path_factory, items, parts, held_bytes):
    found = merge(tmp_path_factory.mktemp("merge"), [items[i::parts] for i in range(parts)], held_bytes)
    for (kept, rows, rejections), expected in zip(found, in_memory(items), strict=True):
        assert kept == expected[0]
        assert [row["source_id"] for row in rows] == [row["source_id"] for row in expected[1]]
        assert [row["content_hash"] for row in rows] == [row["content_hash"] for row in expected[1]]
        reasons = [(row["source_id"], row["reason"]) for row in rejections]
        assert reasons == [(row["source_id"], row["reason"]) for row in expected[2]]


def test_what_is_held_is_bounded_by_bytes(tmp_path):
    writer = RunWriter(str(tmp_path), "part", held_bytes=20_000)
    for i in range(10):
        writer.add(0, example(f"{i}", bytes(3000)))
    pieces = writer.finish()
    in_runs = [list(records.stream(str(tmp_path / piece.run), piece.start, piece.stop, 1 << 20)) for piece in pieces]
    # Two tables stand before the records; a row counts as 2,048 bytes: with four examples it is more than 20,000.
    assert [len(found) - 2 for found in in_runs] == [4, 4, 2]
    assert len({piece.run for piece in pieces}) == 3


def test_a_shard_without_pieces(tmp_path):
    ((kept, rows, rejections), _) = merge(tmp_path, [], 1)
    assert (kept, rows, rejections) == ([], [], [])
    assert storage.read_table(str(tmp_path / "made" / "0-index")).schema.equals(index.SCHEMA)
    assert storage.read_table(str(tmp_path / "made" / "0-rejected")).schema.equals(rejected.SCHEMA)


def test_pieces_of_a_run_stand_one_after_the_other(tmp_path):
    writer = RunWriter(str(tmp_path), "part")
    for i in range(9):
        writer.add(i % 3, example(f"{i}", b"x"))
    pieces = writer.finish()
    assert [piece.bucket for piece in pieces] == [0, 1, 2]
    assert pieces[0].start == 0 and all(a.stop == b.start for a, b in itertools.pairwise(pieces))
    assert pieces[-1].stop == (tmp_path / pieces[0].run).stat().st_size


def test_a_piece_cannot_be_changed(tmp_path):
    writer = RunWriter(str(tmp_path), "part")
    writer.add(0, refused("a"))
    (piece,) = writer.finish()
    with pytest.raises(dataclasses.FrozenInstanceError):
        piece.bucket = 1
