"""Records of an uncompressed TFRecord file by their places in it, without reading what else it holds.

A record stands in a frame: its length in 8 bytes, a checksum of that in 4, the record, and its checksum in 4. The
offset of a record is where its frame begins, in bytes from the start of the file; its length is its own, without the
frame's.
"""

import struct
from collections.abc import Iterator, Sequence

import google_crc32c
import numpy as np
import pyarrow as pa

from components import storage

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
FRAME = _HEADER.size + _FOOTER.size  # bytes that a record takes besides its own


def compute_offsets(lengths: Sequence[int] | np.ndarray, start: int = 0) -> np.ndarray:
    """Returns int64 [records], the offsets of records of these lengths that follow each other from `start` on."""
    ends = np.cumsum(np.asarray(lengths, np.int64) + FRAME)
    return start + np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])


def places_of(index: pa.Table) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the offsets and lengths that an index has, int64 [records]; None if it has none."""
    if "offset" not in index.column_names or index["offset"].null_count:
        return None
    return index["offset"].to_numpy(), index["length"].to_numpy()


def check_size(path: str, offsets: np.ndarray, lengths: np.ndarray) -> None:
    """Checks that the last of these records ends the file at `path`.

    Raises:
      ValueError: it does not.
    """
    import tensorflow as tf

    if tf.io.gfile.stat(path).length != (offsets[-1] + lengths[-1] + FRAME if len(offsets) else 0):
        raise ValueError(f"{path}: its index has {len(offsets)} rows, but the shard has another number of records")


def read(path: str, offset: int, length: int) -> bytes:
    """Returns a record of the file at `path`.

    Raises:
      ValueError: there is no such record there, or it is damaged.
    """
    return read_block(path, [offset], [length])[0]


def read_block(path: str, offsets: Sequence[int] | np.ndarray, lengths: Sequence[int] | np.ndarray) -> list[bytes]:
    """Returns records of the file at `path`, in one read from the start of the first to the end of the last.

    Args:
      offsets, lengths: int [records], at least one, by rising offsets.

    Raises:
      ValueError: there are no such records, or one is damaged.
    """
    start, stop = int(offsets[0]), int(offsets[-1]) + int(lengths[-1]) + FRAME
    buffer = storage.read_range(path, start, stop - start)
    found = []
    for offset, length in zip(map(int, offsets), map(int, lengths), strict=True):
        place = offset - start
        if len(buffer) < place + length + FRAME or _HEADER.unpack_from(buffer, place)[0] != length:
            raise ValueError(
                f"{path}: no record of {length} bytes begins at byte {offset}; its index is of another file"
            )
        found.append(_record(path, offset, buffer, place, length))
    return found


def unpack(path: str, target: str) -> np.ndarray:
    """Writes the records of the compressed file at `path` uncompressed to `target`; returns their lengths, int64."""
    lengths = []

    def read_all() -> Iterator[bytes]:
        for record in storage.read_records(path):
            lengths.append(len(record))
            yield record

    storage.write_records(target, read_all())
    return np.array(lengths, np.int64)


def stream(path: str, start: int, stop: int, most_bytes: int) -> Iterator[bytes]:
    """Yields the records whose frames fill the bytes from `start` to `stop` of the file at `path`.

    Args:
      most_bytes: are read at once, or those of a single record if it is longer.

    Raises:
      ValueError: a record is damaged.
    """
    buffer, place, wanted = b"", 0, _HEADER.size  # `place` in the buffer, which begins at `start`
    while start + place < stop:
        if len(buffer) - place < wanted:
            start += place
            buffer, place = storage.read_range(path, start, min(max(most_bytes, wanted), stop - start)), 0
            if len(buffer) < wanted:
                raise ValueError(f"{path}: the file is damaged or cut off at byte {start}")
        length, _ = _HEADER.unpack_from(buffer, place)
        wanted = length + FRAME
        if start + place + wanted > stop:
            raise ValueError(f"{path}: the file is damaged at byte {start + place}")
        if len(buffer) - place >= wanted:
            yield _record(path, start + place, buffer, place, length)
            place, wanted = place + wanted, _HEADER.size


def _record(path: str, offset: int, buffer: bytes, place: int, length: int) -> bytes:
    """Returns the record whose frame begins at `place` of `buffer`, checked."""
    begin = place + _HEADER.size
    record = buffer[begin : begin + length]
    header = _HEADER.unpack_from(buffer, place)[1] == _masked(buffer[place : place + 8])
    if not header or _FOOTER.unpack_from(buffer, begin + length)[0] != _masked(record):
        raise ValueError(f"{path}: the record at byte {offset} is damaged")
    return record


def _masked(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
