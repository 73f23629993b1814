"""The Predictions table: an id and the logits of each example. Pure.

Logits, not posteriors: any temperature can be applied later, and over thousands of labels most posteriors underflow
in float16. They are kept as fixed-size binary, little-endian float16, because older Arrow's Parquet has no float16.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

FILE_PATTERN = "predictions-*.parquet"


def table(source_ids: Sequence[str], logits: np.ndarray) -> pa.Table:
    """Returns the table of `logits`, [examples, labels] in the order of the vocabulary.

    Raises:
      ValueError: the shapes do not fit, or a logit is not finite.
    """
    if logits.ndim != 2 or len(logits) != len(source_ids):
        raise ValueError(f"logits: shape {logits.shape} for {len(source_ids)} examples; expected [examples, labels]")
    if not np.isfinite(logits).all():
        row = int(np.argmin(np.isfinite(logits).all(axis=1)))
        raise ValueError(f"logits: those of {source_ids[row]!r} are not finite; the classifier has diverged")
    limit = np.finfo(np.float16).max
    halves = np.ascontiguousarray(np.clip(logits, -limit, limit), dtype="<f2")
    width = 2 * logits.shape[1]
    cells = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(halves), [None, pa.py_buffer(halves.tobytes())])
    return pa.table({"source_id": pa.array(source_ids, pa.string()), "logits": cells})


def logits_of(predictions: pa.Table) -> np.ndarray:
    """Returns the float16 logits of a table, [examples, labels]."""
    width = predictions.schema.field("logits").type.byte_width
    chunks = predictions.column("logits").chunks
    halves = [
        np.frombuffer(chunk.buffers()[1], "<f2", len(chunk) * width // 2, chunk.offset * width) for chunk in chunks
    ]
    return np.concatenate([np.empty(0, "<f2"), *halves]).reshape(-1, width // 2)
