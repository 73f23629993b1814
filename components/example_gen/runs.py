"""Runs: what a part gave, sorted, in files from which every shard takes its pieces.

A run is an uncompressed TFRecord file. For each bucket (a shard of one of our splits, by its number) that got anything
it has a piece: a table of the rows of the index, one of the rejections, and the images, sorted by their order; tables
are compressed. Of a part that is larger than what may be held, there are several runs. Behind the pieces of the shards
stand pieces by the content of the images, each a table with what is compared of equal ones.
"""

import collections
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from components import records, storage
from components.artifacts import index, rejected
from components.example_gen import equal_images
from components.example_gen.examples import Indexed

HELD_BYTES = 128 << 20  # of images, and about as much as their rows take, that are held at once
_ROW_BYTES = 2 << 10  # that a row takes in memory
_FRAME_ROWS = 4096  # of a table
_DECODED_ROWS = 256  # of a piece that are held as dicts
_CODEC = "zstd"


@dataclasses.dataclass(frozen=True)
class Piece:
    """What a run has of a bucket.

    Attributes:
      bucket: the number of a shard among those of all splits; larger: of what is compared.
      run: name of the file.
      start, stop: its first byte, and the one behind its last.
    """

    bucket: int
    run: str
    start: int
    stop: int


class RunWriter:
    """The runs of a part, while it is read.

    Args:
      folder: where they go.
      stem: what their names begin with; no other part and no other attempt has the same.
      held_bytes: with more than that in memory, a run is written.
      content_bucket: content hash → the bucket in which it is compared; None: it is not.
    """

    def __init__(
        self,
        folder: str,
        stem: str,
        held_bytes: int = HELD_BYTES,
        content_bucket: Callable[[str], int] | None = None,
    ):
        self._folder, self._stem, self._most, self._content_bucket = folder, stem, held_bytes, content_bucket
        self._items: list[tuple[int, Indexed]] = []
        self._held = self._number = 0
        self._pieces: list[Piece] = []

    def add(self, bucket: int, item: Indexed) -> None:
        """Takes an image, or a rejection."""
        self._items.append((bucket, item))
        self._held += len(item.image) + _ROW_BYTES
        if self._held > self._most:
            self._write()

    def finish(self) -> list[Piece]:
        """Writes what is still held, and returns the pieces of all runs."""
        if self._items:
            self._write()
        return self._pieces

    def _write(self) -> None:
        name = f"{self._stem}-{self._number:04d}.run"
        # What is equal stays in the order in which it was read.
        self._items.sort(key=lambda pair: (pair[0], pair[1].order))
        groups = ((bucket, list(group)) for bucket, group in itertools.groupby(self._items, key=lambda pair: pair[0]))
        shards = ((bucket, _frames([item for _, item in group])) for bucket, group in groups)
        self._pieces += write_pieces(self._folder, name, itertools.chain(shards, self._contents()))
        self._items.clear()
        self._held = 0
        self._number += 1

    def _contents(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yields (bucket, frames of its piece) of what is compared."""
        if self._content_bucket is None:
            return
        rows = [item.row for _, item in self._items if item.image]
        yield from _tables(((self._content_bucket(row["content_hash"]), row) for row in rows), equal_images.ENTRIES)


def write_pieces(folder: str, run: str, groups: Iterable[tuple[int, Iterable[bytes]]]) -> list[Piece]:
    """Writes a run from (bucket, frames of its piece) pairs, and returns its pieces."""
    pieces: list[Piece] = []

    def frames() -> Iterator[bytes]:
        place = 0
        for bucket, group in groups:
            start = place
            for frame in group:
                place += len(frame) + records.FRAME
                yield frame
            pieces.append(Piece(bucket, run, start, place))

    storage.write_records(os.path.join(folder, run), frames())
    return pieces


def write_tables(folder: str, run: str, rows: Iterable[tuple[int, dict]], schema: pa.Schema) -> list[Piece]:
    """Writes (bucket, row) pairs as a run with a piece for each bucket, which is a table; without rows, nothing."""
    tables = _tables(rows, schema)
    return write_pieces(folder, run, tables) if tables else []


def read_tables(folder: str, pieces: Iterable[Piece], schema: pa.Schema) -> pa.Table:
    """Returns the rows of pieces that are tables."""
    frames = (
        frame
        for piece in pieces
        for frame in records.stream(os.path.join(folder, piece.run), piece.start, piece.stop, 1 << 20)
    )
    return pa.Table.from_batches([_loads(frame, schema) for frame in frames], schema)


def _tables(rows: Iterable[tuple[int, dict]], schema: pa.Schema) -> list[tuple[int, list[bytes]]]:
    """Returns (bucket, frames of its piece) of (bucket, row) pairs."""
    waiting: dict[int, list[dict]] = collections.defaultdict(list)
    frames: dict[int, list[bytes]] = collections.defaultdict(list)
    for bucket, row in rows:
        waiting[bucket].append(row)
        if len(waiting[bucket]) == _FRAME_ROWS:  # a row takes ten times as much in memory
            frames[bucket].append(_dumps(waiting.pop(bucket), schema))
    for bucket, left in waiting.items():
        frames[bucket].append(_dumps(left, schema))
    return sorted(frames.items())


def _frames(items: Sequence[Indexed]) -> Iterator[bytes]:
    taken = [item for item in items if item.image]
    yield _dumps([item.row for item in taken], index.SCHEMA)
    yield _dumps([item.row for item in items if not item.image], rejected.SCHEMA)
    for item in taken:
        yield item.image


def _dumps(rows: Sequence[dict], schema: pa.Schema) -> bytes:
    if not rows:
        return b""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _CODEC) as compressed:
        # Without its schema, which would take more than the rows of a small piece.
        compressed.write(pa.RecordBatch.from_pylist(rows, schema).serialize())
    return sink.getvalue().to_pybytes()


def _loads(text: bytes, schema: pa.Schema) -> pa.RecordBatch:
    if not text:
        return pa.RecordBatch.from_pylist([], schema)
    return pa.ipc.read_record_batch(pa.CompressedInputStream(pa.BufferReader(text), _CODEC).read(), schema)


class Opened:
    """A piece, opened for its shard.

    Attributes:
      rows: of the index.
      rejections: rows of the table of rejections.
    """

    def __init__(self, folder: str, piece: Piece, most_bytes: int):
        self._images = records.stream(os.path.join(folder, piece.run), piece.start, piece.stop, most_bytes)
        self.rows = _loads(next(self._images), index.SCHEMA)
        self.rejections = _loads(next(self._images), rejected.SCHEMA)

    def examples(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yields (row, image), sorted, once."""
        starts = range(0, len(self.rows), _DECODED_ROWS)
        rows = (row for start in starts for row in self.rows.slice(start, _DECODED_ROWS).to_pylist())
        return zip(rows, self._images, strict=True)
