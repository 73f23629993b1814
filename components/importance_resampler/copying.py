"""Writing a sample: each of its shards reads its records from the source's, by their places.

Only places are grouped: 32 bytes a copy. A source shard that is compressed, as earlier versions wrote them, is unpacked
first.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from components import records, storage
from components.artifacts import plan
from components.importance_resampler import spacing
from components.parallel_map import parallel_map

# A copy on its way to its shard. The complement of a source's number, which is negative, says that it was unpacked.
_COPY = np.dtype([("key", "<u8"), ("source", "<i8"), ("offset", "<i8"), ("length", "<i8")])


@dataclasses.dataclass(frozen=True)
class Source:
    """A shard of the source, its index, and its part of the plan: paths."""

    records: str
    index: str
    plan: str


class Copy(beam.PTransform):
    """(number, source) elements → the record files of the sample.

    Args:
      sources: all of them, by number.
      shards: of the sample; an empty one is written too.
      folder: of the sample.
      places: folder for the places of its records.
      work: a folder for shards that have to be unpacked.
    """

    def __init__(self, sources: Sequence[Source], shards: int, folder: str, places: str, work: str):
        super().__init__()
        self._sources, self._shards = sources, shards
        self._folder, self._places_folder, self._work = folder, places, work

    def expand(self, numbered):
        every = numbered.pipeline | "EveryShard" >> beam.Create([(shard, b"") for shard in range(self._shards)])
        copies = numbered | "Read" >> beam.FlatMap(self._copies)
        return (copies, every) | beam.Flatten() | "ByShard" >> beam.GroupByKey() | "Write" >> beam.Map(self._write)

    def _copies(self, element: tuple[int, Source]) -> Iterator[tuple[int, bytes]]:
        """Yields (shard of the sample, its copies of this source)."""
        number, source = element
        keys, offsets, lengths, unpacked = self._places(number, source)
        copies = plan.copies_of(storage.read_table(source.plan, ["copies"]))
        found = np.empty(int(copies.sum(dtype=np.int64)), _COPY)
        found["key"] = spacing.spread_copies(keys, copies, self._shards)
        found["source"] = ~number if unpacked else number
        found["offset"], found["length"] = np.repeat(offsets, copies), np.repeat(lengths, copies)
        shards = (found["key"] % np.uint64(self._shards)).astype(np.int64)
        found = found[np.argsort(shards, kind="stable")]
        ends = np.cumsum(np.bincount(shards, minlength=self._shards))
        for shard in np.unique(shards).tolist():
            yield shard, found[ends[shard - 1] if shard else 0 : ends[shard]].tobytes()

    def _places(self, number: int, source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        """Returns the key, offset and length of each record of a source, and whether it had to be unpacked."""
        rows = storage.read_table(source.index)
        keys = rows["key"].to_numpy()
        if places := records.places_of(rows):
            records.check_size(source.records, *places)
            return keys, *places, False
        lengths = records.unpack(source.records, self._path(number))
        if len(lengths) != len(keys):
            raise ValueError(
                f"{source.records}: its index has {len(keys)} rows, but the shard has another number of records"
            )
        return keys, records.compute_offsets(lengths), lengths, True

    def _write(self, element: tuple[int, Iterable[bytes]]) -> int:
        """Writes a shard: its copies in the order of their keys, those of an example apart from each other."""
        shard, groups = element
        copies = _sorted(np.concatenate([np.frombuffer(group, _COPY) for group in groups]), self._read)
        _, examples = np.unique(copies[["source", "offset"]], return_inverse=True)
        order = spacing.separate_copies(range(len(copies)), examples.tolist().__getitem__)
        threads = storage.reading_threads(self._folder)
        found = parallel_map(lambda i: self._read(copies[i]), order, threads, lambda i: int(copies[i]["length"]))
        name = storage.shard_name(storage.RECORD_STEM, shard, self._shards)
        storage.write_records(os.path.join(self._folder, name), found)
        lengths = copies["length"][order]
        places = pa.table({"offset": records.compute_offsets(lengths), "length": lengths})
        storage.write_table(
            os.path.join(self._places_folder, storage.shard_name("places", shard, self._shards, ".parquet")), places
        )
        return shard

    def _read(self, copy: np.void) -> bytes:
        number = int(copy["source"])
        path = self._path(~number) if number < 0 else self._sources[number].records
        return records.read(path, int(copy["offset"]), int(copy["length"]))

    def _path(self, number: int) -> str:
        return os.path.join(self._work, f"{number:06d}.unpacked")


def _sorted(copies: np.ndarray, read: Callable[[Any], bytes]) -> np.ndarray:
    """Returns `copies` by their keys, and those of different examples with the same key by the records."""
    copies = copies[np.lexsort((copies["offset"], copies["source"], copies["key"]))]
    key, place = copies["key"], copies[["source", "offset"]]
    for tied in np.unique(key[1:][(key[1:] == key[:-1]) & (place[1:] != place[:-1])]):
        alike = np.flatnonzero(key == tied)
        copies[alike] = copies[sorted(alike, key=lambda i: read(copies[i]))]
    return copies
