"""The ResamplePlan: how often each example is taken, and a table that compares the sample with P_t. Pure.

`Split-train/copies-*.parquet` are aligned with the index. If a sample was drawn, `labels.parquet` has one row per
label; `components.importance_resampler.labels_table` describes its columns for a sample of the source,
`components.target_sampler.sampling` for one of a target.
"""

import json

import numpy as np
import pyarrow as pa

COPIES_PATTERN = "copies-*.parquet"
LABELS_FILE = "labels.parquet"
_HEADER = b"resample_plan"


def copies_table(copies: np.ndarray, weights: np.ndarray | None = None) -> pa.Table:
    """Returns the plan of one shard of the index, one row per example.

    Args:
      copies: int32 [examples], how often each is taken.
      weights: float32 [examples], factors of the loss; None: no column.
    """
    columns = {"copies": pa.array(copies, pa.int32())}
    if weights is not None:
        columns["weight"] = pa.array(weights, pa.float32())
    return pa.table(columns)


def copies_of(table: pa.Table) -> np.ndarray:
    """Returns int32 [examples]: how often each example of a shard is taken."""
    return table["copies"].to_numpy()


def weights_of(table: pa.Table) -> np.ndarray | None:
    """Returns float32 [examples], the factors of the loss of a shard's examples, or None if the plan has none."""
    return table["weight"].to_numpy() if "weight" in table.column_names else None


def with_header(labels: pa.Table, header: dict) -> pa.Table:
    """Returns the table of the labels with a header: the settings, and figures of the whole sample."""
    return labels.replace_schema_metadata({_HEADER: json.dumps(header)})


def header_of(labels: pa.Table) -> dict:
    """Returns the header that `with_header` added."""
    header = json.loads(labels.schema.metadata[_HEADER])
    if "strategy" not in header:
        return header
    # Older files call the matcher `strategy`, and have 0 and [] for settings of other matchers.
    settings = {
        key: value for key, value in header.items() if (key, value) not in (("max_repeats", 0), ("label_subset", []))
    }
    return {"matcher" if key == "strategy" else key: value for key, value in settings.items()}
