"""The ResamplePlan: one integer an example, and what was asked and what came out, label by label. Pure."""

import json

import numpy as np
import pyarrow as pa

from components.importance_resampler import matchers
from components.prior_estimator.label_prior import LabelPrior

COPIES_PATTERN = "copies-*.parquet"
LABELS_FILE = "labels.parquet"
_HEADER = b"resample_plan"


def copies_table(copies: np.ndarray) -> pa.Table:
    """Returns the part of the `copies` column that belongs to one shard of the index."""
    return pa.table({"copies": pa.array(copies, pa.int32())})


def copies_of(table: pa.Table) -> np.ndarray:
    """Returns int32 [examples]."""
    return table["copies"].to_numpy()


def labels_table(sample: matchers.Sample, pairs: matchers.Pairs, prior: LabelPrior, **settings) -> pa.Table:
    """Returns the table of the labels (N_y, n_y, unique examples, repeats) with a header.

    The header holds `settings`, the size of the sample, and total variation distances ½ Σ |p − q|: of the drawn pairs
    to P_t, of all labels of the drawn examples (what training sees) to P_t, and of P_s to P_t for comparison.
    """
    taken = sample.copies[pairs.rows]
    unique = np.bincount(pairs.labels, weights=taken > 0, minlength=pairs.num_labels).astype(np.int64)
    seen = np.bincount(pairs.labels, weights=taken, minlength=pairs.num_labels)
    asked = prior.reachable_prior
    header = {
        **settings,
        "examples": int(sample.copies.sum(dtype=np.int64)),
        "unique_examples": int(np.count_nonzero(sample.copies)),
        "max_copies": int(sample.copies.max()),
        "distance_drawn": total_variation(sample.quotas / sample.quotas.sum(), asked),
        "distance_seen": total_variation(seen / seen.sum(), asked),
        "distance_source": total_variation(prior.source_prior, asked),
        "lost_mass": prior.header()["lost_mass"],
    }
    columns = {
        "label": np.arange(pairs.num_labels, dtype=np.int32),
        "name": list(prior.names),
        "count": pairs.counts,
        "asked": asked,
        "quota": sample.quotas,
        "unique": unique,
        "repeats": np.maximum(sample.quotas - unique, 0),
    }
    return pa.table(columns).replace_schema_metadata({_HEADER: json.dumps(header)})


def header_of(table: pa.Table) -> dict:
    """Returns the header of a table that `labels_table` made."""
    return json.loads(table.schema.metadata[_HEADER])


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Returns ½ Σ |p − q|, between 0 (the same) and 1 (nothing in common)."""
    return 0.5 * float(np.abs(p - q).sum())
