"""Records of an uncompressed TFRecord file by their places in it, without reading what else it holds.

A record stands in a frame: its length in 8 bytes, a checksum of that in 4, the record, and its checksum in 4. The
offset of a record is where its frame begins, in bytes from the start of the file; its length is its own, without the
frame's.
"""

import struct
from collections.abc import Iterator, Sequence

import google_crc32c
import numpy as np

from components import storage

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
FRAME = _HEADER.size + _FOOTER.size  # bytes that a record takes besides its own


def compute_offsets(lengths: Sequence[int] | np.ndarray, start: int = 0) -> np.ndarray:
    """Returns int64 [records], the offsets of records of these lengths that follow each other from `start` on."""
    ends = np.cumsum(np.asarray(lengths, np.int64) + FRAME)
    return start + np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1]])


def read(path: str, offset: int, length: int) -> bytes:
    """Returns a record of the file at `path`.

    Raises:
      ValueError: there is no such record there, or it is damaged.
    """
    frame = storage.read_range(path, offset, length + FRAME)
    if len(frame) != length + FRAME or _HEADER.unpack_from(frame)[0] != length:
        raise ValueError(f"{path}: no record of {length} bytes begins at byte {offset}; its index is of another file")
    return _record(path, offset, frame, 0, length)


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
