"""Examples of single images as the ExampleGen makes them: for tests and benchmarks of what reads them."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from components import records, storage
from components.artifacts import index
from components.artifacts.rejected import Rejection
from components.example_gen import examples
from components.example_gen.images import check as image_check


@dataclasses.dataclass(frozen=True)
class Record:
    """A record and its row of the index."""

    record: bytes
    row: dict[str, Any]

    @property
    def key(self) -> int:
        """What its shard and its place in it are decided by."""
        return self.row["key"]


def make_record(image: bytes, labels: tuple[int, ...], source_id: str, *, names: tuple[str, ...], **options) -> Record:
    """Returns the record and the index row of an encoded image; see `index_image`."""
    item = index_image(image, labels, source_id, num_labels=len(names), **options)
    return Record(examples.make_record(item.image, item.row, names), item.row)


def index_image(
    image: bytes,
    labels: tuple[int, ...],
    source_id: str,
    *,
    split: str,
    num_labels: int,
    perceptual_hashes: bool = False,
) -> examples.Indexed:
    """Returns an encoded image, checked and converted, and its row of the index; see `examples.index_example`.

    Raises:
      ValueError: the image or a label cannot be taken.
    """
    read = examples.LabelledImage(image, labels, source_id)
    found = examples.check_example(read, index.content_hash(image), num_labels, image_check.MOST_PIXELS)
    if isinstance(found, Rejection):
        raise ValueError(f"{source_id}: {found.reason}: {found.detail}")
    return examples.index_example(found, split, perceptual_hashes=perceptual_hashes)


def write_shard(examples_folder: str, index_folder: str, shard: int, shards: int, items: Sequence[Record]) -> None:
    """Writes a shard of these examples, in their order, and its index."""
    path = os.path.join(examples_folder, storage.shard_name(storage.RECORD_STEM, shard, shards))
    storage.write_records(path, [item.record for item in items])
    lengths = [len(item.record) for item in items]
    table = index.add_places(index.table([item.row for item in items]), records.compute_offsets(lengths), lengths)
    storage.write_table(os.path.join(index_folder, storage.shard_name("index", shard, shards, ".parquet")), table)
