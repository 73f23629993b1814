"""Why a plan takes an example as often as it does. Pure."""

import numpy as np
import pyarrow as pa

from components.artifacts import index, plan
from components.importance_resampler import matchers
from components.importance_resampler.matchers.explanation import Drawn, Explanation
from components.importance_resampler.pairs import Pairs


def explain_example(labels: pa.Table, pairs: Pairs, source_id: str) -> Explanation:
    """Explains how often a plan takes the example with the id `source_id`.

    Args:
      labels: the plan's table of labels.
      pairs: the pairs of the index that the plan was made from.

    Raises:
      ValueError: the index has no example with this id, or other counts than the plan.
    """
    found = np.flatnonzero(pairs.keys == np.uint64(index.id_key(source_id)))
    if not len(found):
        raise ValueError(f"source_id: {source_id!r} is none of the {len(pairs.keys)} examples of the index")
    row = int(found[0])
    if not np.array_equal(pairs.counts, labels["count"].to_numpy()):
        raise ValueError(
            "labels: the counts of this plan are not those of the index; the plan was made from another index"
        )
    header = plan.header_of(labels)
    drawn = Drawn(labels, pairs, header["seed"], header["examples"])
    settings = {key: header[key] for key in matchers.class_of(header["matcher"]).model_fields if key in header}
    matcher = matchers.make_matcher(header["matcher"], **settings)
    return Explanation(
        labels=tuple(labels["name"][label].as_py() for label in drawn.own_labels(row)),
        draws=matcher.explain(drawn, row),
        weight=matcher.weight(drawn, row),
    )
