"""The Predictions table: an id and the logits of each example. Pure.

Logits, not posteriors: any temperature can be applied later, and over thousands of labels most posteriors underflow
in float16. They are kept as fixed-size binary, little-endian float16, because older Arrow's Parquet has no float16.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

FILE_PATTERN = "predictions-*.parquet"


def table(source_ids: Sequence[str], logits: np.ndarray, embeddings: np.ndarray | None = None) -> pa.Table:
    """Returns the table of `logits`, [examples, labels] in the order of the vocabulary, and `embeddings`, if any.

    Args:
      embeddings: [examples, dimensions], what the classifier's last layer takes.

    Raises:
      ValueError: the shapes do not fit, or a number is not finite.
    """
    columns = {"source_id": pa.array(source_ids, pa.string()), "logits": _cells("logits", logits, source_ids)}
    if embeddings is not None:
        columns["embedding"] = _cells("embeddings", embeddings, source_ids)
    return pa.table(columns)


def logits_of(predictions: pa.Table) -> np.ndarray:
    """Returns the float16 logits of a table, [examples, labels]."""
    return _matrix(predictions["logits"])


def embeddings_of(predictions: pa.Table) -> np.ndarray:
    """Returns the float16 embeddings of a table, [examples, dimensions].

    Raises:
      ValueError: it has none.
    """
    if "embedding" not in predictions.column_names:
        raise ValueError("predictions: have no embeddings; let the Predictor keep them")
    return _matrix(predictions["embedding"])


def _cells(name: str, values: np.ndarray, source_ids: Sequence[str]) -> pa.FixedSizeBinaryArray:
    if values.ndim != 2 or len(values) != len(source_ids):
        raise ValueError(f"{name}: shape {values.shape} for {len(source_ids)} examples; expected [examples, numbers]")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise ValueError(f"{name}: those of {source_ids[row]!r} are not finite; the classifier has diverged")
    limit = np.finfo(np.float16).max
    halves = np.ascontiguousarray(np.clip(values, -limit, limit), dtype="<f2")
    cell = pa.binary(2 * values.shape[1])
    return pa.FixedSizeBinaryArray.from_buffers(cell, len(halves), [None, pa.py_buffer(halves.tobytes())])


def _matrix(column: pa.ChunkedArray) -> np.ndarray:
    width = column.type.byte_width
    halves = [
        np.frombuffer(chunk.buffers()[1], "<f2", len(chunk) * width // 2, chunk.offset * width)
        for chunk in column.chunks
    ]
    return np.concatenate([np.empty(0, "<f2"), *halves]).reshape(-1, width // 2)
