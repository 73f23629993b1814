"""The predicted label of each example of a split, as an evaluation saw it: a table. Pure.

A ModelRun has one for each split whose predictions were kept, `predictions-<split>.parquet`, with the rows in the order
of the shards. `components.artifacts.predictions` has logits of all labels; this one compares models example by example.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

FILE_PATTERN = "predictions-*.parquet"

SCHEMA = pa.schema(
    [
        ("id", pa.string()),  # the example's source_id
        ("label", pa.int32()),  # its label, an index into the vocabulary
        ("predicted", pa.int32()),  # the label that ranks first
        ("probability", pa.float32()),  # of the label `predicted`
    ]
)


def file_name(split: str) -> str:
    """Returns the name of the file of a split, within the ModelRun."""
    return FILE_PATTERN.replace("*", split)


def table(ids: Sequence[str], labels: np.ndarray, predicted: np.ndarray, probability: np.ndarray) -> pa.Table:
    """Returns the table, with the columns of SCHEMA.

    Args:
      ids: ids of the examples.
      labels, predicted: int [examples], indices into the vocabulary.
      probability: float [examples], of the label `predicted`, 0 to 1.

    Raises:
      ValueError: the columns have different lengths.
    """
    columns: dict[str, Sequence[str] | np.ndarray] = {
        "id": ids,
        "label": labels,
        "predicted": predicted,
        "probability": probability,
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"ids, labels, predicted, probability: of different lengths, {lengths}; give one an example")
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)
