"""A shard from its pieces of all runs: a merge of what is sorted already, a little of each in memory."""

import array
import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components import records, storage
from components.artifacts import index, rejected
from components.example_gen.examples import reject_repeated
from components.example_gen.runs import Opened, Piece
from components.parallel_map import parallel_map

_BUFFERED_BYTES = 64 << 20  # of all pieces of a shard
_LEAST_BUFFER = 64 << 10


def write_shard(runs: str, pieces: Sequence[Piece], path: str, index_path: str, rejected_path: str) -> None:
    """Writes the records of a shard, its index and its rejections.

    Of examples with the same id the first stays, in the order of the records.

    Args:
      runs: folder of the runs.
      pieces: of all of them, in the order of what was read.
      path: of the record file.
      index_path, rejected_path: of the tables.
    """
    each = max(_BUFFERED_BYTES // max(len(pieces), 1), _LEAST_BUFFER)
    shard = _Shard(list(parallel_map(lambda piece: Opened(runs, piece, each), pieces, storage.reading_threads(runs))))
    storage.write_records(path, shard.records())
    storage.write_table(index_path, shard.index())
    storage.write_table(rejected_path, rejected.table(shard.rejections))


class _Shard:
    """A shard, while it is merged.

    Attributes:
      rejections: rows, so far.
    """

    def __init__(self, pieces: Sequence[Opened]):
        self.rejections: list[dict[str, Any]] = []
        self._pieces = pieces
        self._first_row = np.cumsum([0, *(len(piece.rows) for piece in pieces)])[:-1].tolist()
        self._taken, self._lengths = array.array("q"), array.array("q")

    def records(self) -> Iterator[bytes]:
        """Yields the records of the shard, once."""
        kept: dict[str, tuple[int, int]] = {}  # those with the same key, of which ids alone decide
        last_key = None
        for key, record, number, row in heapq.merge(*map(self._sorted, range(len(self._pieces)))):
            piece = self._pieces[number]
            if not record:
                self.rejections.append(_row(piece.rejections, row))
                continue
            if key != last_key:
                kept.clear()
                last_key = key
            source_id = piece.rows["source_id"][row].as_py()
            if source_id in kept:
                first, first_row = kept[source_id]
                self.rejections.append(
                    reject_repeated(_row(piece.rows, row), _row(self._pieces[first].rows, first_row))
                )
                continue
            kept[source_id] = number, row
            self._taken.append(self._first_row[number] + row)
            self._lengths.append(len(record))
            yield record

    def index(self) -> pa.Table:
        """Returns the rows of what `records` has given, with their places."""
        rows = pa.Table.from_batches([piece.rows for piece in self._pieces], index.SCHEMA).combine_chunks()
        return index.add_places(
            rows.take(pa.array(np.asarray(self._taken, np.int64))),
            records.compute_offsets(self._lengths),
            self._lengths,
        )

    def _sorted(self, number: int) -> Iterator[tuple[int, bytes, int, int]]:
        """Yields (key, record, number of the piece, row); a rejection has no record, and so comes first of its key."""
        piece = self._pieces[number]
        rejections = ((key, b"", number, row) for row, key in enumerate(piece.rejected_keys()))
        taken = ((key, record, number, row) for row, (key, record) in enumerate(piece.examples()))
        return heapq.merge(rejections, taken)


def _row(rows: pa.RecordBatch, row: int) -> dict[str, Any]:
    return rows.slice(row, 1).to_pylist()[0]
