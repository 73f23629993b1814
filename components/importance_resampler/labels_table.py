"""The ResamplePlan's table of labels, which compares the sample with P_t. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.artifacts import plan
from components.artifacts.label_prior import LabelPrior, reorder
from components.importance_resampler.matchers.matcher import Sample, require
from components.importance_resampler.pairs import Pairs


def labels_table(
    sample: Sample,
    pairs: Pairs,
    prior: LabelPrior | None,
    settings: Mapping[str, Any],
    names: Sequence[str] | None = None,
) -> pa.Table:
    """Returns the table of the labels, with a header; without `names` they are the prior's.

    Its columns: label, name, count (N_y), asked (P_t over the labels with N_y > 0, or P_s without a prior), quota (n_y,
    the number drawn for the label), unique (the number of different examples among them), repeats (the rest of n_y),
    seen (how often training sees the label, over all labels of the drawn examples, times their loss weights), capped
    (whether max_repeats limits n_y), rank (0 for the label that an example counts under first; null: none counts under
    it).

    The header holds `settings` (`matcher`, `n`, `seed` and the matcher's own settings), the size of the sample, the
    figures of its matcher, and total variation distances ½ Σ |p − q| to `asked`: of the quotas, of the labels that
    training sees, and of the source itself.
    """
    asked = pairs.counts / pairs.counts.sum() if prior is None else prior.reachable_prior
    seen = pairs.label_sums(sample.copies if sample.weights is None else sample.copies * sample.weights)
    unique = np.minimum(sample.quotas, pairs.counts)
    header = {
        **settings,
        "examples": int(sample.copies.sum(dtype=np.int64)),
        "unique_examples": int(np.count_nonzero(sample.copies)),
        "max_copies": int(sample.copies.max()),
        **_distances(sample.quotas, seen, pairs.counts, asked),
        "lost_mass": prior.header()["lost_mass"] if prior else 0.0,
        **sample.figures,
    }
    no_labels = np.zeros(pairs.num_labels, bool)
    ranks = np.zeros(pairs.num_labels, np.int32) if sample.ranks is None else sample.ranks
    unranked = ~no_labels if sample.ranks is None else sample.ranks == pairs.num_labels
    columns = {
        "label": np.arange(pairs.num_labels, dtype=np.int32),
        "name": list(require(prior, "prior").names if names is None else names),
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


def distances_to(prior: LabelPrior, labels: pa.Table) -> dict[str, float]:
    """Returns the distances of a header for another target's prior, from a plan's table of labels."""
    asked = reorder(prior, labels["name"].to_pylist()).reachable_prior
    return _distances(labels["quota"].to_numpy(), labels["seen"].to_numpy(), labels["count"].to_numpy(), asked)


def _distances(drawn: np.ndarray, seen: np.ndarray, source: np.ndarray, asked: np.ndarray) -> dict[str, float]:
    of = {"drawn": drawn, "seen": seen, "source": source}
    return {f"distance_{name}": total_variation(counts / counts.sum(), asked) for name, counts in of.items()}


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Returns ½ Σ |p − q|, between 0 (the same) and 1 (nothing in common)."""
    return 0.5 * float(np.abs(p - q).sum())
