"""The ResamplePlan's table of labels, which compares the sample with P_t. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from components.artifacts import plan
from components.artifacts.label_prior import LabelPrior
from components.importance_resampler.matchers.matcher import Sample
from components.importance_resampler.pairs import Pairs


def labels_table(sample: Sample, pairs: Pairs, prior: LabelPrior, settings: Mapping[str, Any]) -> pa.Table:
    """Returns the table of the labels, with a header.

    Its columns: label, name, count (N_y), asked (P_t over the labels with N_y > 0), quota (n_y, the number drawn for
    the label), unique (the number of different examples among them), repeats (the rest of n_y), seen (how often
    training sees the label, over all labels of the drawn examples, times their loss weights), capped (whether
    max_repeats limits n_y), rank (0 for the label that an example counts under first; null: none counts under it).

    The header holds `settings` (`matcher`, `n`, `seed` and the matcher's own settings), the size of the sample, the
    figures of its matcher, and total variation distances ½ Σ |p − q| to `asked`: of the quotas, of the labels that
    training sees, and of the source itself.
    """
    asked = prior.reachable_prior
    seen = pairs.label_sums(sample.copies if sample.weights is None else sample.copies * sample.weights)
    unique = np.minimum(sample.quotas, pairs.counts)
    header = {
        **settings,
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
    return plan.with_header(pa.table(columns), header)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Returns ½ Σ |p − q|, between 0 (the same) and 1 (nothing in common)."""
    return 0.5 * float(np.abs(p - q).sum())
