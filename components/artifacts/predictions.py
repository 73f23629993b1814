"""The Predictions table: an id and the logits of each example. Pure.

It has logits, not posteriors: any temperature can be applied later, and over thousands of labels most posteriors
underflow in float16. They are little-endian float16 in fixed-size binary, because older Arrow's Parquet has no float16.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

FILE_PATTERN = "predictions-*.parquet"


def table(source_ids: Sequence[str], logits: np.ndarray, embedding: np.ndarray | None = None) -> pa.Table:
    """Returns the table of `logits` and, if given, `embedding`.

    Args:
      source_ids: ids of the examples.
      logits: float [examples, labels], in the order of the vocabulary.
      embedding: float [examples, dimensions], the input of the classifier's last layer; None: no column.

    Raises:
      ValueError: the shapes do not fit, or a logit or an embedding is not finite.
    """
    columns = {"source_id": pa.array(source_ids, pa.string()), "logits": _to_cells("logits", source_ids, logits)}
    if embedding is not None:
        columns["embedding"] = _to_cells("embedding", source_ids, embedding)
    return pa.table(columns)


def logits_of(predictions: pa.Table) -> np.ndarray:
    """Returns the float16 logits of a table, [examples, labels].

    Raises:
      ValueError: the table has none.
    """
    return _read_halves(predictions, "logits")


def embeddings_of(predictions: pa.Table) -> np.ndarray:
    """Returns the float16 embeddings of a table, [examples, dimensions].

    Raises:
      ValueError: the table has none.
    """
    return _read_halves(predictions, "embedding")


def reorder_logits(predictions: pa.Table, positions: np.ndarray) -> pa.Table:
    """Returns the table with the logits at `positions` of each example, in that order.

    Args:
      positions: int [labels]; see `vocabulary.positions`.

    Raises:
      ValueError: the table has no logits, or another number of them.
    """
    logits = logits_of(predictions)
    if logits.shape[1] != len(positions):
        raise ValueError(f"logits: {logits.shape[1]} per example, but the classifier has {len(positions)} labels")
    if np.array_equal(positions, np.arange(len(positions))):
        return predictions
    column = _to_cells("logits", predictions["source_id"].to_pylist(), logits[:, positions])
    return predictions.set_column(predictions.column_names.index("logits"), "logits", column)


def has_embeddings(predictions: pa.Table) -> bool:
    """Returns whether the table has embeddings."""
    return "embedding" in predictions.column_names


def _to_cells(name: str, source_ids: Sequence[str], values: np.ndarray) -> pa.Array:
    if values.ndim != 2 or len(values) != len(source_ids):
        raise ValueError(f"{name}: shape {values.shape} for {len(source_ids)} examples; expected a row for each")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(axis=1)))
        raise ValueError(f"{name}: those of {source_ids[row]!r} are not finite; the classifier has diverged")
    limit = np.finfo(np.float16).max
    halves = np.ascontiguousarray(np.clip(values, -limit, limit), dtype="<f2")
    width = 2 * values.shape[1]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(halves), [None, pa.py_buffer(halves.tobytes())])


def _read_halves(predictions: pa.Table, name: str) -> np.ndarray:
    if name not in predictions.column_names:
        raise ValueError(
            f"predictions: no column {name!r} among {', '.join(predictions.column_names)}; let the Predictor write it"
        )
    width = predictions.schema.field(name).type.byte_width
    halves = [
        np.frombuffer(chunk.buffers()[1], "<f2", len(chunk) * width // 2, chunk.offset * width)
        for chunk in predictions.column(name).chunks
    ]
    return np.concatenate([np.empty(0, "<f2"), *halves]).reshape(-1, width // 2)
