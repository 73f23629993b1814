"""The ingestion as Beam sees it: parts become runs, and runs become shards. Only the places of pieces are grouped."""

import dataclasses
import os
import struct
from collections.abc import Iterable, Iterator

import apache_beam as beam

from components import storage
from components.example_gen import merging
from components.example_gen.examples import ImageChecker
from components.example_gen.limit import Counts, Limit
from components.example_gen.readers.reader import Part, Reader
from components.example_gen.runs import Piece, RunWriter
from components.example_gen.working import Finished, Working, stem

_PLACE = struct.Struct(">IQQ")  # of a piece: part, start, stop; the name of its run follows


@dataclasses.dataclass(frozen=True)
class Shards:
    """The shards of all splits, as buckets: numbers from 0 on.

    Attributes:
      counts: our split → its number of shards.
    """

    counts: dict[str, int]

    def __len__(self) -> int:
        return sum(self.counts.values())

    def bucket(self, split: str, key: int) -> int:
        """Returns the bucket of what has this key."""
        first = 0
        for name, count in self.counts.items():
            if name == split:
                return first + key % count
            first += count
        raise KeyError(split)

    def place(self, bucket: int) -> tuple[str, int]:
        """Returns (split, shard) of a bucket."""
        for split, count in self.counts.items():
            if bucket < count:
                return split, bucket
            bucket -= count
        raise KeyError(bucket)


class Ingest(beam.PTransform):
    """(number, part) elements → files of shards, with their index and what was rejected.

    Args:
      reader: of the parts.
      check: of the images.
      shards: of all splits.
      work: where runs go.
      limit: for what is rejected.
      outputs: URIs of the Examples, their index and the rejections.
    """

    def __init__(
        self,
        reader: Reader,
        check: ImageChecker,
        shards: Shards,
        work: Working,
        limit: Limit,
        outputs: tuple[str, str, str],
    ):
        super().__init__()
        self._reader, self._check, self._shards, self._work = reader, check, shards, work
        self._limit, self._outputs = limit, outputs

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        # Empty shards are written too, so that the files say themselves whether they are complete.
        every = parts.pipeline | "EveryShard" >> beam.Create([(bucket, b"") for bucket in range(len(self._shards))])
        pieces = parts | "Read" >> beam.FlatMap(self._read)
        return (pieces, every) | beam.Flatten() | "ByShard" >> beam.GroupByKey() | "Write" >> beam.Map(self._write)

    def _read(self, element: tuple[int, Part]) -> Iterator[tuple[int, bytes]]:
        """Yields (bucket, place of a piece): of runs that are written now, or were by an earlier attempt."""
        number, part = element
        finished = self._work.part(number)
        if finished is None:
            finished = self._run(number, part)
            self._work.finish(number, finished)
        for piece in finished.pieces:
            yield piece.bucket, _PLACE.pack(number, piece.start, piece.stop) + piece.run.encode()

    def _run(self, number: int, part: Part) -> Finished:
        counts, others = Counts(part.weight), None
        runs = RunWriter(self._work.runs, stem(number))
        for split, item in self._check.all(part, self._reader.read(part)):
            runs.add(self._shards.bucket(split, item.key), item)
            if item.record:
                counts.taken += 1
                continue
            counts.add_rejection(item.row)
            if self._limit.images is not None:
                others = others or self._work.counts()
                self._limit.check(counts + others)
        if counts.faults:
            self._limit.check(counts + self._work.counts())
        return Finished(runs.finish(), counts)

    def _write(self, element: tuple[int, Iterable[bytes]]) -> int:
        bucket, places = element
        found = []
        for place in filter(None, places):
            number, start, stop = _PLACE.unpack_from(place)
            found.append((number, Piece(bucket, place[_PLACE.size :].decode(), start, stop)))
        # In the order of what was read, whoever has read it.
        pieces = [piece for _, piece in sorted(found, key=lambda pair: (pair[0], pair[1].run))]
        split, shard = self._shards.place(bucket)

        def path(uri: str, stem: str, suffix: str = "") -> str:
            name = storage.shard_name(stem, shard, self._shards.counts[split], suffix)
            return os.path.join(uri, f"Split-{split}", name)

        examples, index, rejected = self._outputs
        merging.write_shard(
            self._work.runs,
            pieces,
            path(examples, storage.RECORD_STEM),
            path(index, "index", ".parquet"),
            path(rejected, "rejected", ".parquet"),
        )
        return bucket
