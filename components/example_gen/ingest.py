"""The ingestion as Beam sees it: parts become runs, and runs become shards. Only the places of pieces are grouped.

In between, images with the same content are compared, wherever they were read: by content, as shards are by id.
"""

import dataclasses
import os
import struct
import uuid
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam import pvalue

from components import storage
from components.artifacts import index
from components.example_gen import equal_images, merging, runs
from components.example_gen.examples import ImageChecker
from components.example_gen.limit import Counts, Limit
from components.example_gen.readers.reader import Part, Reader
from components.example_gen.runs import Piece, RunWriter
from components.example_gen.working import Finished, Working, stem

_PLACE = struct.Struct(">?IQQ")  # of a piece: whether it has decisions, part, start, stop; the name of its run follows
_CONTENTS = "contents"
_SHARDS_COMPARED = 16  # whose images are compared at once: about 2 GB of them


@dataclasses.dataclass(frozen=True)
class Shards:
    """The shards of all splits, as buckets: numbers from 0 on.

    Attributes:
      counts: our split → its number of shards.
    """

    counts: dict[str, int]

    def __len__(self) -> int:
        return sum(self.counts.values())

    @property
    def content_buckets(self) -> int:
        """How many buckets there are behind those of the shards, in which equal images meet."""
        return -(-len(self) // _SHARDS_COMPARED)

    def content_bucket(self, content_hash: str) -> int:
        """Returns the bucket in which images with this content are compared."""
        return len(self) + int(content_hash[:15], 16) % self.content_buckets

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
        self._several_labels = reader.allows_several_labels()
        self._reader, self._check, self._shards, self._work = reader, check, shards, work
        self._limit, self._outputs = limit, outputs

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        # Empty shards are written too, so that the files say themselves whether they are complete.
        buckets = [(bucket, b"") for bucket in range(len(self._shards))]
        every = parts.pipeline | "EveryShard" >> beam.Create(buckets, reshuffle=False)
        read_parts = beam.FlatMap(self._read).with_output_types(tuple[int, bytes])
        read = parts | "Read" >> read_parts.with_outputs(_CONTENTS, main="pieces")
        decisions = read[_CONTENTS] | "ByContent" >> beam.GroupByKey() | "Decide" >> beam.FlatMap(self._decide)
        places = (read["pieces"], decisions, every) | beam.Flatten()
        return places | "ByShard" >> beam.GroupByKey() | "Write" >> beam.Map(self._write)

    def _read(self, element: tuple[int, Part]) -> Iterator[tuple[int, bytes] | pvalue.TaggedOutput]:
        """Yields (bucket, place of a piece): of runs that are written now, or were by an earlier attempt.

        Those of the shards, and, as _CONTENTS, those by which equal images are found.
        """
        number, part = element
        finished = self._work.part(number)
        if finished is None:
            finished = self._run(number, part)
            self._work.finish(number, finished)
        for piece in finished.pieces:
            place = _pack(number, piece)
            yield place if piece.bucket < len(self._shards) else pvalue.TaggedOutput(_CONTENTS, place)

    def _run(self, number: int, part: Part) -> Finished:
        counts, others = Counts(part.weight), None
        run = RunWriter(self._work.runs, stem(number), content_bucket=self._shards.content_bucket)
        for split, item in self._check.all(part, self._reader.read(part)):
            run.add(self._shards.bucket(split, item.key), item)
            if item.image:
                counts.examples += 1
                continue
            counts.add_rejection(item.row)
            if self._limit.images is not None:
                others = others or self._work.counts()
                self._limit.check(counts + others)
        if counts.faults:
            self._limit.check(counts + self._work.counts())
        return Finished(run.finish(), counts)

    def _decide(self, element: tuple[int, Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
        """Yields (bucket of a shard, place of a table) of what becomes of equal images."""
        bucket, places = element
        entries = runs.read_tables(self._work.runs, _unpack(bucket, places), equal_images.ENTRIES)
        decisions = (
            (self._shards.bucket(row["split"], index.id_key(row["source_id"])), row)
            for row in equal_images.decide(entries, self._check.names, self._several_labels)
        )
        name = f"equal-{bucket}-{uuid.uuid4().hex[:8]}.run"
        for piece in runs.write_tables(self._work.runs, name, decisions, equal_images.DECISIONS):
            yield _pack(bucket, piece, decides=True)

    def _write(self, element: tuple[int, Iterable[bytes]]) -> int:
        bucket, places = element
        split, shard = self._shards.place(bucket)

        def path(uri: str, stem: str, suffix: str = "") -> str:
            name = storage.shard_name(stem, shard, self._shards.counts[split], suffix)
            return os.path.join(uri, f"Split-{split}", name)

        examples, index_uri, rejected = self._outputs
        merging.write_shard(
            self._work.runs,
            _unpack(bucket, places),
            path(examples, storage.RECORD_STEM),
            path(index_uri, "index", ".parquet"),
            path(rejected, "rejected", ".parquet"),
            self._check.names,
            runs.read_tables(self._work.runs, _unpack(bucket, places, decides=True), equal_images.DECISIONS),
        )
        return bucket


def _pack(number: int, piece: Piece, *, decides: bool = False) -> tuple[int, bytes]:
    """Returns (bucket, place) of a piece of the part with this number."""
    return piece.bucket, _PLACE.pack(decides, number, piece.start, piece.stop) + piece.run.encode()


def _unpack(bucket: int, places: Iterable[bytes], *, decides: bool = False) -> list[Piece]:
    """Returns the pieces of a bucket, or those with decisions, in the order of what was read, whoever has read it."""
    found = []
    for place in filter(None, places):
        has_decisions, number, start, stop = _PLACE.unpack_from(place)
        if has_decisions == decides:
            found.append((number, place[_PLACE.size :].decode(), start, stop))
    return [Piece(bucket, *place) for _, *place in sorted(found)]
