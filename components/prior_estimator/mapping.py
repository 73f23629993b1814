"""From the labels of a classifier from elsewhere to those of the source. Pure."""

import numpy as np

from components.artifacts.label_map import Match
from components.prior_estimator import posteriors

_SHOWN = 3


def group_logits(logits: np.ndarray, match: Match) -> np.ndarray:
    """Returns the logits of the source's labels: of each the logsumexp of those that stand for it.

    Their softmax is that of all the classifier's labels, summed by the source's label, without those that stand for
    none.

    Args:
      logits: [images, classifier's labels], of any float type.
      match: every label of the source has one of the classifier's.

    Returns:
      float32 [images, labels].
    """
    kept = np.flatnonzero(match.positions >= 0)
    order = kept[np.argsort(match.positions[kept], kind="stable")]
    starts = np.searchsorted(match.positions[order], np.arange(match.num_labels))
    grouped = np.empty((len(logits), match.num_labels), np.float32)
    for rows in posteriors.spans(len(logits), len(order)):
        values = logits[rows][:, order].astype(np.float64)
        grouped[rows] = np.logaddexp.reduceat(values, starts, axis=1)
    return grouped


def move(prior: np.ndarray, match: Match) -> np.ndarray:
    """Returns a prior over the source's labels: each has the sum of those that stand for it, and then all sum to 1.

    Args:
      prior: float [labels of the classifier], or [replicates, labels of the classifier].

    Returns:
      float64 [labels] or [replicates, labels].

    Raises:
      ValueError: all of the mass is on labels that stand for none of the source.
    """
    kept = match.positions >= 0
    summed = np.zeros((match.num_labels, *prior.shape[:-1]))
    np.add.at(summed, match.positions[kept], np.moveaxis(prior[..., kept], -1, 0))
    totals = summed.sum(axis=0)
    if not np.all(totals > 0):
        raise ValueError(
            "predictions: all of their mass is on labels that stand for none of the source; see classifier.label_map"
        )
    return np.moveaxis(summed / totals, 0, -1)


def check_complete(match: Match, names: tuple[str, ...], what: str) -> None:
    """Checks that the classifier has a label for each of the source's.

    Args:
      names: the source's labels.
      what: the setting that needs it, with its value.

    Raises:
      ValueError: it has not.
    """
    if not len(match.unmatched):
        return
    shown = ", ".join(repr(names[i]) for i in match.unmatched[:_SHOWN])
    raise ValueError(
        f"{what} needs a label of the classifier for each of the source's, but {len(match.unmatched):,} of "
        f"{len(names):,} have none, such as {shown}; use mean_prediction with a number as temperature, or give them "
        "one in classifier.label_map"
    )
