"""Reads the features of each example, over which statistics are computed, from the index. Pure.

Features that Examples have too bear the same keys. The number of labels of an image is the number of values of
`image/class/label`, and the count of a label is that of its value of `image/class/text`.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts import examples

COLUMNS = ("source_id", "labels", "format", "original_format", "converted", "height", "width", "bytes")  # of the index


def of_index(index: pa.Table, names: Sequence[str]) -> pa.RecordBatch:
    """Returns the features, a row for each example. Columns are lists, as TFDV needs; null if a feature is missing.

    Columns: `image/format` and `image/original_format` binary, as written and as read; `image/converted` int64, 1 if
    the bytes differ; `image/height` and `image/width` int64, in pixels; `image/aspect` float64, width / height, null
    if one of them is not above 0; `image/bytes` int64, size of the encoded image; `image/class/label` int64 and
    `image/class/text` binary, one value for each label; `image/source_id/length` int64, in characters. The ids
    themselves are not among the features: all of them differ, so their statistics would be expensive and useless.

    Args:
      index: table with COLUMNS.
      names: names of the labels. The text of a label without a name is its number.
    """
    index = index.combine_chunks()
    columns = {name: pa.concat_arrays(index[name].chunks or [pa.array([], index[name].type)]) for name in COLUMNS}
    height, width = columns["height"], columns["width"]
    positive = pc.fill_null(pc.and_(pc.greater(height, 0), pc.greater(width, 0)), False)
    aspect = pc.if_else(positive, pc.divide(width.cast(pa.float64()), height.cast(pa.float64())), None)
    features = {
        examples.FORMAT: _single(columns["format"].cast(pa.binary())),
        "image/original_format": _single(columns["original_format"].cast(pa.binary())),
        "image/converted": _single(columns["converted"].cast(pa.int64())),
        examples.HEIGHT: _single(height.cast(pa.int64())),
        examples.WIDTH: _single(width.cast(pa.int64())),
        "image/aspect": _single(aspect),
        "image/bytes": _single(columns["bytes"].cast(pa.int64())),
        examples.LABELS: columns["labels"].cast(pa.list_(pa.int64())),
        examples.LABEL_NAMES: _texts(columns["labels"], names),
        f"{examples.SOURCE_ID}/length": _single(pc.utf8_length(columns["source_id"]).cast(pa.int64())),
    }
    return pa.RecordBatch.from_arrays(list(features.values()), list(features))


def _single(values: pa.Array) -> pa.ListArray:
    """Wraps each value in a list; null stays null."""
    valid = values.is_valid().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(valid)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~valid, False)), values.drop_null())


def _texts(labels: pa.ListArray, names: Sequence[str]) -> pa.ListArray:
    flat = labels.flatten()
    numbers = flat.to_numpy(zero_copy_only=False)
    inside = (numbers >= 0) & (numbers < len(names))
    known = pa.array(names, pa.string()).take(pa.array(np.where(inside, numbers, 0), pa.int64()))
    texts = pc.if_else(pa.array(inside), known, flat.cast(pa.string())).cast(pa.binary())
    valid = labels.is_valid().to_numpy(zero_copy_only=False)
    lengths = pc.fill_null(pc.list_value_length(labels), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~valid, False)), texts)
