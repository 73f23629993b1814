"""A shard from its pieces of all runs: a merge of what is sorted already, a little of each in memory."""

import array
import heapq
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components import records, storage
from components.artifacts import index, rejected
from components.example_gen import equal_images
from components.example_gen.examples import Indexed, Order, make_record
from components.example_gen.runs import Opened, Piece
from components.parallel_map import parallel_map

_BUFFERED_BYTES = 64 << 20  # of all pieces of a shard
_LEAST_BUFFER = 64 << 10


def write_shard(
    runs: str,
    pieces: Sequence[Piece],
    path: str,
    index_path: str,
    rejected_path: str,
    names: Sequence[str],
    decisions: pa.Table | None = None,
) -> None:
    """Writes the Examples of a shard, its index and its rejections.

    Of examples with the same id the first stays, in their order; see `examples.order_of`. One that gets the labels of
    equal images comes before the others.

    Args:
      runs: folder of the runs.
      pieces: of all of them, in the order of what was read.
      path: of the record file.
      index_path, rejected_path: of the tables.
      names: of the labels.
      decisions: on images of the shard that are there several times; see `equal_images.DECISIONS`.
    """
    each = max(_BUFFERED_BYTES // max(len(pieces), 1), _LEAST_BUFFER)
    opened = list(parallel_map(lambda piece: Opened(runs, piece, each), pieces, storage.reading_threads(runs)))
    shard = _Shard(opened, [] if decisions is None else decisions.to_pylist(), names)
    storage.write_records(path, shard.records())
    storage.write_table(index_path, shard.index())
    storage.write_table(rejected_path, rejected.table(shard.rejections))


class _Shard:
    """A shard, while it is merged.

    Attributes:
      rejections: rows, so far.
    """

    def __init__(self, pieces: Sequence[Opened], decisions: Sequence[dict[str, Any]], names: Sequence[str]):
        self.rejections: list[dict[str, Any]] = []
        self._pieces, self._names = pieces, names
        self._selection = equal_images.Selection(decisions)
        self._labels: dict[int, list[int]] = {}  # number of a record → those that are not its row's
        self._first_row = np.cumsum([0, *(len(piece.rows) for piece in pieces)])[:-1].tolist()
        self._rows, self._lengths = array.array("q"), array.array("q")

    def records(self) -> Iterator[bytes]:
        """Yields the records of the shard, once."""
        for _, number, place, item in heapq.merge(*map(self._sorted, range(len(self._pieces)))):
            row = item.row
            if not item.image:
                self.rejections.append(row)
                continue
            image = equal_images.key_of(row)
            if rejection := self._selection.reject(row["key"], *image):
                self.rejections.append(rejection)
                continue
            labels = self._selection.new_labels(*image)
            if labels is not None:
                self._labels[len(self._rows)] = row["labels"] = labels
            record = make_record(item.image, row, self._names)
            self._rows.append(self._first_row[number] + place)
            self._lengths.append(len(record))
            yield record

    def index(self) -> pa.Table:
        """Returns the rows of what `records` has given, with their places."""
        rows = pa.Table.from_batches([piece.rows for piece in self._pieces], index.SCHEMA).combine_chunks()
        rows = rows.take(pa.array(np.asarray(self._rows, np.int64)))
        if self._labels:
            labels = [self._labels.get(number, own) for number, own in enumerate(rows["labels"].to_pylist())]
            rows = index.replace_column(rows, "labels", labels)
        return index.add_places(rows, records.compute_offsets(self._lengths), self._lengths)

    def _sorted(self, number: int) -> Iterator[tuple[Order, int, int, Indexed]]:
        """Yields (order, number of the piece, place in its table, item)."""
        piece = self._pieces[number]
        rejections = (Indexed(b"", row) for row in piece.rejections.to_pylist())
        kept = (Indexed(image, row) for row, image in piece.examples())
        return heapq.merge(
            *(((item.order, number, place, item) for place, item in enumerate(items)) for items in (rejections, kept))
        )
