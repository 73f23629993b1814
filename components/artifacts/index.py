"""The ExampleIndex: one row an example, no pixels. Pure.

Whatever needs no pixels — P_s, plans, subsets, statistics — reads this and never the images. The index of a split has a
file a shard, with the rows in the order of the shard's records.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FILE_PATTERN = "index-*.parquet"
# A custom property of the artifact: whether perceptual hashes were computed, a value of HASHED; indices of earlier
# versions have none. Null hashes do not tell it, because flat images have none either.
HASHED_PROPERTY = "perceptual_hashes"
HASHED = {False: "no", True: "yes"}

SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),  # unique and stable, whatever the sharding
        ("key", pa.uint64()),  # id_key(source_id): what plans are drawn by
        ("labels", pa.list_(pa.int32())),  # at least one, indices into the vocabulary
        ("split", pa.string()),
        ("format", pa.string()),  # jpeg or png
        ("original_format", pa.string()),  # what it was read as, of image_check.FORMATS
        ("converted", pa.bool_()),  # whether it has not the bytes that were read; a JPEG may be turned into another
        # Whether it has 16 bits, and hardly anything is seen of it; null in indices of earlier versions.
        ("flattened", pa.bool_()),
        ("height", pa.int32()),  # pixels
        ("width", pa.int32()),  # pixels
        ("bytes", pa.int64()),  # of the encoded image
        # Where its record begins in the shard, and how long it is: bytes, as components.records has them. Null where a
        # shard is compressed.
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("content_hash", pa.string()),  # of the encoded image
        # See components.example_gen.images.perceptual_hash; null where they were not asked for, or the image has none.
        ("perceptual_hash", pa.uint64()),
        ("perceptual_hash_flipped", pa.uint64()),  # of the mirror image
    ]
)


def id_key(source_id: str) -> int:
    """Returns 64 bits of `source_id` that look random: what shards, orders and draws are decided by."""
    return int.from_bytes(hashlib.blake2b(source_id.encode(), digest_size=8).digest(), "little")


def content_hash(image: bytes) -> str:
    """Returns the hash of an encoded image as 32 hex digits."""
    return hashlib.blake2b(image, digest_size=16).hexdigest()


def table(rows: Iterable[dict]) -> pa.Table:
    """Returns `rows` (dicts with the columns of SCHEMA) as a table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def add_places(rows: pa.Table, offsets: np.ndarray, lengths: Sequence[int]) -> pa.Table:
    """Returns `rows` with these places of their records."""
    for name, values in (("offset", offsets), ("length", lengths)):
        rows = replace_column(rows, name, np.asarray(values, np.int64))
    return rows


def replace_column(rows: pa.Table, name: str, values: Sequence | np.ndarray) -> pa.Table:
    """Returns `rows` with these values in a column of SCHEMA."""
    field = SCHEMA.field(name)
    return rows.set_column(rows.column_names.index(name), field, pa.array(values, field.type))


def label_pairs(labels: pa.ChunkedArray | pa.Array, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (example, label) pairs of a `labels` column as two int32 arrays, rows and labels, in row order.

    A single-label column of n examples gives rows 0..n-1.

    Raises:
      ValueError: an example has no label, or one outside 0..num_labels-1.
    """
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.combine_chunks()
    if isinstance(labels, pa.ChunkedArray):  # no rows at all: nothing was combined
        return np.empty(0, np.int32), np.empty(0, np.int32)
    counts = pc.fill_null(pc.list_value_length(labels), 0).to_numpy(zero_copy_only=False)
    if not np.all(counts > 0):
        raise ValueError(f"labels: the example in row {int(np.argmin(counts))} has no label; each needs at least one")
    flat = labels.flatten().to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    outside = (flat < 0) | (flat >= num_labels)
    if outside.any():
        raise ValueError(f"labels: {int(flat[outside][0])} is outside the vocabulary of {num_labels} labels")
    return np.repeat(np.arange(len(labels), dtype=np.int32), counts), flat


def label_counts(pairs: Sequence[np.ndarray], num_labels: int) -> np.ndarray:
    """Returns N_y: int64 [num_labels], the number of (example, label) pairs of each label."""
    return np.bincount(pairs[1], minlength=num_labels).astype(np.int64)
