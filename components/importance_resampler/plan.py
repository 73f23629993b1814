"""The ResamplePlan: one integer an example, and what was asked and what came out, label by label. Pure."""

import dataclasses
import json

import numpy as np
import pyarrow as pa

from components.artifacts.label_prior import LabelPrior
from components.importance_resampler.matchers import Sample
from components.importance_resampler.pairs import Pairs
from components.importance_resampler.strategies import Settings

COPIES_PATTERN = "copies-*.parquet"
LABELS_FILE = "labels.parquet"
_HEADER = b"resample_plan"


def copies_table(copies: np.ndarray, weights: np.ndarray | None = None) -> pa.Table:
    """Returns the part of the plan that belongs to one shard of the index, a row an example.

    Args:
      copies: int32 [examples], how often each is taken.
      weights: float32 [examples], factors of the loss; None: the plan has none.
    """
    columns = {"copies": pa.array(copies, pa.int32())}
    if weights is not None:
        columns["weight"] = pa.array(weights, pa.float32())
    return pa.table(columns)


def copies_of(table: pa.Table) -> np.ndarray:
    """Returns int32 [examples]: how often each example of a shard is taken."""
    return table["copies"].to_numpy()


def weights_of(table: pa.Table) -> np.ndarray | None:
    """Returns float32 [examples], the factors of the loss of a shard's examples; None where the plan has none."""
    return table["weight"].to_numpy() if "weight" in table.column_names else None


def labels_table(sample: Sample, pairs: Pairs, prior: LabelPrior, settings: Settings) -> pa.Table:
    """Returns the table of the labels, with a header.

    Its columns: label, name, count (N_y), asked (P_t over the labels with N_y > 0), quota (n_y, how many were drawn for
    the label), unique (of how many different examples), repeats (the rest of n_y), seen (how often training meets the
    label: the other labels of the examples drawn count too, and loss weights), capped (n_y is held down by
    max_repeats), rank (which label an example counts under first; null: none counts under it).

    The header holds `settings`, the size of the sample, what its strategy reports, and total variation distances
    ½ Σ |p − q| to `asked`: of the quotas, of the labels that training sees, and of the source itself.
    """
    asked = prior.reachable_prior
    seen = pairs.label_sums(sample.copies if sample.weights is None else sample.copies * sample.weights)
    unique = np.minimum(sample.quotas, pairs.counts)
    header = {
        **dataclasses.asdict(settings),
        "examples": int(sample.copies.sum(dtype=np.int64)),
        "unique_examples": int(np.count_nonzero(sample.copies)),
        "max_copies": int(sample.copies.max()),
        "distance_drawn": total_variation(sample.quotas / sample.quotas.sum(), asked),
        "distance_seen": total_variation(seen / seen.sum(), asked),
        "distance_source": total_variation(prior.source_prior, asked),
        "lost_mass": prior.header()["lost_mass"],
        **sample.figures,
    }
    no_labels = np.zeros(pairs.num_labels, bool)
    ranks = np.zeros(pairs.num_labels, np.int32) if sample.ranks is None else sample.ranks
    unranked = ~no_labels if sample.ranks is None else sample.ranks == pairs.num_labels
    columns = {
        "label": np.arange(pairs.num_labels, dtype=np.int32),
        "name": list(prior.names),
        "count": pairs.counts,
        "asked": asked,
        "quota": sample.quotas,
        "unique": unique,
        "repeats": sample.quotas - unique,
        "seen": seen,
        "capped": no_labels if sample.capped is None else sample.capped,
        "rank": pa.array(ranks, pa.int32(), mask=unranked),
    }
    return pa.table(columns).replace_schema_metadata({_HEADER: json.dumps(header)})


def header_of(table: pa.Table) -> dict:
    """Returns the header of a table that `labels_table` made."""
    return json.loads(table.schema.metadata[_HEADER])


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Returns ½ Σ |p − q|, between 0 (the same) and 1 (nothing in common)."""
    return 0.5 * float(np.abs(p - q).sum())
