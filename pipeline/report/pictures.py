"""Thumbnails of a report: read by the index's offsets, within a number of bytes for all of them."""

import base64
import dataclasses
import io
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components import records, storage
from components.artifacts import examples as examples_artifact
from components.artifacts import index
from components.transfer_report import block
from pipeline.preview.thumbnails import make_thumbnail

MOST_BYTES = 5_000_000  # of all pictures of a report
_SIZE = 64  # pixels of the longer side
_QUALITY = 80


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the record of an example is: the file, the offset of its frame, and its length, in bytes."""

    path: str
    offset: int
    length: int


class Pictures:
    """Makes thumbnails until they fill the bytes of a report.

    Args:
      most_bytes: that all of them may take, as `data:` URIs.
    """

    def __init__(self, most_bytes: int = MOST_BYTES):
        self._room = most_bytes

    def make(self, image_id: str, image: bytes, caption: str = "") -> block.Picture | None:
        """Returns the thumbnail of an encoded image; None: it cannot be decoded, or there is no room for it."""
        try:
            thumbnail = make_thumbnail(image, _SIZE)
        except tf.errors.InvalidArgumentError:
            return None
        content = io.BytesIO()
        thumbnail.convert("RGB").save(content, "WEBP", quality=_QUALITY)
        uri = f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
        if len(uri) > self._room:
            return None
        self._room -= len(uri)
        return block.Picture(image_id, uri, caption)

    def read(self, places: Mapping[str, Place], captions: Mapping[str, str] | None = None) -> dict[str, block.Picture]:
        """Returns id → thumbnail of the examples at `places`, of those that can be shown, in their order."""
        found = {}
        for image_id, place in places.items():
            example = tf.train.Example.FromString(records.read(place.path, place.offset, place.length))
            caption = (captions or {}).get(image_id, image_id)
            if picture := self.make(image_id, examples_artifact.image_of(example), caption):
                found[image_id] = picture
        return found


def locate(index_uri: str | None, examples_uri: str | None, split: str, image_ids: Iterable[str]) -> dict[str, Place]:
    """Returns id → where its record is, of those that the split has and whose records have places, in the given order.

    Args:
      index_uri, examples_uri: of one data set; None: nothing is found.
    """
    wanted = {index.id_key(image_id): image_id for image_id in image_ids}
    found: dict[str, Place] = {}
    if index_uri is not None and examples_uri is not None and wanted:
        keys = np.array([*wanted], np.uint64)
        for rows, shard in _pair_files(index_uri, examples_uri, split):
            of_file = _read_columns(rows, ["key"])["key"].to_numpy()
            chosen = np.flatnonzero(np.isin(of_file, keys))
            if len(chosen):
                places = _read_columns(rows, ["offset", "length"]).take(chosen).to_pylist()
                for key, place in zip(of_file[chosen].tolist(), places, strict=True):
                    if place["offset"] is not None:
                        found[wanted[key]] = Place(shard, place["offset"], place["length"])
    return {image_id: found[image_id] for image_id in wanted.values() if image_id in found}


def choose_of_labels(
    index_uri: str | None, labels: Sequence[int], count: int, excluded: np.ndarray, num_labels: int
) -> dict[int, list[str]]:
    """Returns label → the ids of `count` of its train images, or of all; the same whatever the shards.

    Args:
      index_uri: of the source; None: nothing is chosen.
      labels: the labels.
      count: images a label.
      excluded: keys of images that are not chosen.
      num_labels: of the vocabulary.
    """
    chosen: dict[int, list[tuple[int, str]]] = {label: [] for label in labels}
    is_wanted = np.zeros(num_labels, bool)
    is_wanted[list(labels)] = True
    for path in _list_index(index_uri, "train"):
        table = _read_columns(path, ["key", "labels"])
        keys = table["key"].to_numpy()
        rows, of_rows = index.label_pairs(table["labels"], num_labels)
        kept = is_wanted[of_rows] & ~np.isin(keys[rows], excluded)
        rows, of_rows = rows[kept], of_rows[kept]
        order = np.lexsort((keys[rows], of_rows))  # by label, then by key, which looks random
        rows, of_rows = rows[order], of_rows[order]
        starts = np.flatnonzero(np.diff(of_rows, prepend=-1))
        rank = np.arange(len(rows)) - np.repeat(starts, np.diff([*starts, len(rows)]))
        rows, of_rows = rows[rank < count], of_rows[rank < count]
        if len(rows):
            ids = _read_columns(path, ["source_id"])["source_id"].take(pa.array(rows)).to_pylist()
            for row, label, image_id in zip(rows.tolist(), of_rows.tolist(), ids, strict=True):
                chosen[label].append((int(keys[row]), image_id))
    return {label: [image_id for _, image_id in sorted(found)[:count]] for label, found in chosen.items() if found}


def read_files(paths: Iterable[tuple[str, str]], pictures: Pictures, count: int) -> list[block.Picture]:
    """Returns thumbnails of up to `count` of the image files (id, path) that can be read."""
    found: list[block.Picture] = []
    for image_id, path in paths:
        if len(found) == count:
            break
        try:
            with tf.io.gfile.GFile(path, "rb") as file:
                content = file.read()
        except (tf.errors.OpError, OSError):  # it is gone, or was never a file
            continue
        if picture := pictures.make(image_id, content, image_id):
            found.append(picture)
    return found


def spread(items: Sequence, count: int) -> list:
    """Returns `count` of `items` at equal distances, the first and the last with them; all if there are fewer."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(1, count - 1))] for i in range(count)]


def read_index(index_uri: str | None, split: str, columns: Collection[str]) -> pa.Table | None:
    """Returns columns of the index of a split; None: it is not there."""
    paths = _list_index(index_uri, split)
    return pa.concat_tables(_read_columns(path, columns) for path in paths) if paths else None


def _pair_files(index_uri: str, examples_uri: str, split: str) -> Iterator[tuple[str, str]]:
    """Yields the files of the index with the shards that they are of."""
    paths = _list_index(index_uri, split)
    shards = tf.io.gfile.glob(os.path.join(examples_uri, f"Split-{split}", storage.RECORD_PATTERN))
    if len(paths) == len(shards) and not any(map(storage.is_compressed, shards)):
        yield from zip(paths, sorted(shards), strict=True)


def _list_index(index_uri: str | None, split: str) -> list[str]:
    if index_uri is None:
        return []
    return sorted(tf.io.gfile.glob(os.path.join(index_uri, f"Split-{split}", index.FILE_PATTERN)))


def _read_columns(path: str, columns: Collection[str]) -> pa.Table:
    if storage.is_remote(path):
        return storage.read_table(path, [*columns])
    return pq.ParquetFile(path).read([*columns])  # which does not read the other columns
