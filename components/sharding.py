"""Writing records into shards whose content and order depend on the records alone, not on the runner or its workers.

A record goes to the shard which its 64-bit key names, and a shard is written in the order of the keys. Records travel
in chunks, because a Beam element costs far more than a record.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

import apache_beam as beam

from components import storage

_CHUNK_BYTES = 4 << 20
RECORD_STEM = "data_tfrecord"  # the name that TFX's own ExampleGens give

Place = TypeVar("Place", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class KeyedRecord:
    """A record on its way into a shard: `key` decides where it stands."""

    key: int
    record: bytes


Item = TypeVar("Item", bound=KeyedRecord)


def shard_count(total_bytes: int, shard_bytes: int = 128 << 20) -> int:
    """Returns how many shards of about `shard_bytes` hold `total_bytes`; at least one."""
    return max(1, -(-total_bytes // shard_bytes))


def chunk_records(records: Iterable[Item], shards: int) -> Iterator[tuple[int, list[Item]]]:
    """Yields `records` as (shard, chunk) elements of a few megabytes each."""
    return chunk_placed_records((item.key % shards, item) for item in records)


def chunk_placed_records(records: Iterable[tuple[Place, Item]]) -> Iterator[tuple[Place, list[Item]]]:
    """Yields (place, record) pairs, of any kind of place, as (place, chunk) elements of a few megabytes each."""
    chunks: dict[Place, list[Item]] = {}
    sizes: dict[Place, int] = {}
    # A sink of its own for each place would hold places × chunk bytes: the largest goes whenever the sum is too much.
    held = 0
    for place, item in records:
        chunks.setdefault(place, []).append(item)
        sizes[place] = sizes.get(place, 0) + len(item.record)
        held += len(item.record)
        if held > 8 * _CHUNK_BYTES or sizes[place] > _CHUNK_BYTES:
            largest = max(sizes, key=sizes.__getitem__)
            held -= sizes.pop(largest)
            yield largest, chunks.pop(largest)
    yield from chunks.items()


class WriteShards(beam.PTransform, Generic[Item]):
    """(shard, chunk) elements → record files in `folder`, and whatever `on_shard` makes of each.

    Args:
      folder: where the record files go.
      shards: their number; an empty shard is written too, so that the files say themselves whether they are complete.
      on_shard: called with (shard, its records in their order) before they are written, for example to write the index
        or to refuse duplicates; returns the records to write.
    """

    def __init__(self, folder: str, shards: int, on_shard: Callable[[int, list[Item]], list[Item]] | None = None):
        super().__init__()
        self._folder, self._shards, self._on_shard = folder, shards, on_shard

    def expand(self, chunks):
        every_shard = chunks.pipeline | "EveryShard" >> beam.Create([(shard, []) for shard in range(self._shards)])
        return (
            (chunks, every_shard)
            | "WithEmptyShards" >> beam.Flatten()
            | "ByShard" >> beam.GroupByKey()
            | "Write" >> beam.Map(self._write)
        )

    def _write(self, element: tuple[int, Iterable[list[Item]]]) -> tuple[int, int]:
        shard, chunks = element
        # The record breaks a tie, so that equal keys too stand in an order that does not depend on the runner.
        items = sorted((item for chunk in chunks for item in chunk), key=lambda item: (item.key, item.record))
        if self._on_shard:
            items = self._on_shard(shard, items)
        path = f"{self._folder}/{storage.shard_name(RECORD_STEM, shard, self._shards, '.gz')}"
        storage.write_records(path, (item.record for item in items))
        return shard, len(items)
