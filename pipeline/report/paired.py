"""What the images of the reported split say of two models of one seed, image by image. Pure."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipeline.compare import comparison, statistics


@dataclasses.dataclass(frozen=True)
class Paired:
    """A model against another one on the same images.

    Attributes:
      gained, lost: images that only the first has right, and that only the other has right.
      low, high: the interval of the difference of the metric, from the images alone.
    """

    gained: int
    lost: int
    low: float
    high: float


def pair_arms(
    tables: Mapping[str, pa.Table], values: Mapping[str, float], reference: str, metric: str
) -> dict[str, Paired]:
    """Returns arm → how its model compares with the reference's, of those whose predictions are kept.

    Args:
      tables: arm → the predictions of its model, with the columns of `predicted_labels.SCHEMA`.
      values: arm → the metric of its model, by which predictions of something else are recognised and left out.
      reference: the arm that the others are compared with.
      metric: 'accuracy' or 'mean_per_class_accuracy'.
    """
    fitting = {
        name: table.sort_by("id")
        for name, table in tables.items()
        if len(table) > 1
        and abs(comparison.measure(_is_right(table), _list_strata(table, metric)) - values[name])
        <= comparison.SAME_VALUE
    }
    base = fitting.get(reference)
    if base is None:
        return {}
    found = {}
    for name, table in fitting.items():
        same = table["id"].equals(base["id"]) and table["label"].equals(base["label"])
        if name != reference and same:
            found[name] = _pair(table, base, metric)
    return found


def _pair(table: pa.Table, base: pa.Table, metric: str) -> Paired:
    differences = _is_right(table).astype(np.float64) - _is_right(base)
    low, high = statistics.find_image_interval(differences, _list_strata(table, metric))
    # A difference of accuracies lies between −1 and 1, wherever the interval of few images ends.
    return Paired(int((differences > 0).sum()), int((differences < 0).sum()), max(-1.0, low), min(1.0, high))


def _is_right(table: pa.Table) -> np.ndarray:
    return table["predicted"].to_numpy() == table["label"].to_numpy()


def _list_strata(table: pa.Table, metric: str) -> np.ndarray | None:
    return table["label"].to_numpy() if metric == "mean_per_class_accuracy" else None
