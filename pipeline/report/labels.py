"""The source's labels as a target sees them, and what is seen in its images. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.artifacts import label_map, plan, predictions, vocabulary
from components.artifacts.label_prior import LabelPrior
from components.artifacts.vocabulary import Vocabulary
from components.importance_resampler.labels_table import distances_to
from components.prior_estimator import mapping
from components.transfer_report import block

_DISTANCES = ("distance_drawn", "distance_seen", "distance_source")


def describe_labels(
    prior: LabelPrior, labels: Vocabulary | None, drawn: pa.Table | None = None, arm: str | None = None
) -> block.Labels:
    """Returns the labels with their priors and, of an arm's plan, what was drawn; in the order of the prior.

    Args:
      prior: of the target.
      labels: the source's vocabulary, which has the hierarchy; None: it is not known.
      drawn: the plan's table of labels; None: there is none.
      arm: the arm that it is of.
    """
    header = prior.header()
    columns: dict[str, Any] = {}
    if drawn is not None:
        at = vocabulary.positions(prior.names, drawn["name"].to_pylist(), "plan")
        for name, column in (("asked", "asked"), ("drawn", "quota"), ("unique", "unique"), ("repeats", "repeats")):
            columns[name] = drawn[column].to_numpy()[at].tolist()
    low, high = (bound.tolist() for bound in prior.interval) if prior.interval is not None else ((), ())
    return block.Labels(
        names=prior.names,
        paths=list_paths(labels, prior.names),
        counts=prior.counts.tolist(),
        source_share=prior.source_prior.tolist(),
        target_share=prior.target_prior.tolist(),
        weights=prior.weights.tolist(),
        flagged=prior.assumption.flagged.tolist() if prior.assumption is not None else (),
        low=low,
        high=high,
        arm=arm if drawn is not None else None,
        estimator=prior.estimator,
        temperature=prior.temperature,
        images=prior.num_images,
        level=prior.level,
        effective_labels=float(header["effective_labels"] or 0),
        lost_mass=float(header["lost_mass"] or 0),
        notes=_describe_prior(prior),
        **columns,
    )


def list_paths(labels: Vocabulary | None, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the nodes above each label, the topmost first; of several parents the first one counts."""
    edges = labels.edges() if labels is not None else {}

    def climb(name: str) -> tuple[str, ...]:
        path: list[str] = []
        while parents := edges.get(name):  # it has no cycles
            name = parents[0]
            path.insert(0, name)
        return tuple(path)

    return [climb(name) for name in names]


def describe_doubts(
    prior: LabelPrior, doubtful: Sequence[int], pictures: Mapping[int, Sequence[block.Picture]]
) -> list[block.Doubt]:
    """Returns what makes labels doubtful.

    Args:
      prior: of the target.
      doubtful: indices of flagged labels.
      pictures: label → images of the target that are taken for it.
    """
    if prior.assumption is None:
        return []
    images, ratio = prior.assumption.target_images, prior.assumption.ratio
    return [block.Doubt(label, int(images[label]), float(ratio[label]), pictures.get(label, ())) for label in doubtful]


def describe_sample(drawn: pa.Table, prior: LabelPrior | None) -> block.Achieved:
    """Returns how well a sample follows P_t; without a prior, as its plan says it.

    Args:
      drawn: the plan's table of labels.
      prior: of the target.
    """
    header = plan.header_of(drawn)
    distances = {name: header.get(name) for name in _DISTANCES}
    if prior is not None:
        distances |= distances_to(prior, drawn)
    counts = {name: header.get(name) for name in ("examples", "unique_examples", "max_copies")}
    return block.Achieved(**counts, **distances)


def order_by_share(prior: LabelPrior, count: int) -> list[int]:
    """Returns the indices of the `count` labels with the most P_t that the source has images of, the most first."""
    order = np.argsort(-prior.target_prior, kind="stable")
    return [int(label) for label in order if prior.counts[label] > 0 and prior.target_prior[label] > 0][:count]


def share_labels(
    table: pa.Table,
    names: Sequence[str],
    prior: LabelPrior,
    activation: str,
    match: label_map.Match | None = None,
) -> np.ndarray:
    """Returns what the classifier says of each image of a table of Predictions, at the prior's temperature.

    Args:
      table: the Predictions.
      names: of the labels, in the order of its logits.
      prior: whose labels the columns are of.
      activation: 'softmax' or 'sigmoid', whose values are divided by their sum.
      match: what the labels of a classifier from elsewhere stand for; None: it was trained on the source.

    Returns:
      float64 [images, labels], rows that sum to 1.
    """
    logits = predictions.logits_of(table).astype(np.float64) / prior.temperature
    if match is None:
        logits = logits[:, vocabulary.positions(prior.names, names, "predictions")]
    if activation == "sigmoid":
        shares = 1 / (1 + np.exp(-logits))
    else:
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares if match is None else mapping.move(shares, match)


def rank_labels(shares: np.ndarray, count: int) -> list[list[block.LabelShare]]:
    """Returns, for each row of `shares` (float [images, labels]), its `count` top labels, the first first."""
    best = np.argsort(-shares, axis=1, kind="stable")[:, :count]
    return [
        [block.LabelShare(int(label), float(share)) for label, share in zip(row, of_row[row], strict=True)]
        for row, of_row in zip(best, shares, strict=True)
    ]


class ClassMeans:
    """The mean shares of some labels in the images of each class.

    Args:
      labels: indices of the labels.
      classes: the number of classes.
    """

    def __init__(self, labels: Sequence[int], classes: int):
        self._labels = list(labels)
        self._sums = np.zeros((classes, len(self._labels)))
        self._images = np.zeros(classes, np.int64)

    def add(self, shares: np.ndarray, classes: Sequence[int | None]) -> None:
        """Adds images: their shares, float [images, labels of the source], and their classes, if these are known."""
        known = [row for row, label in enumerate(classes) if label is not None]
        of_rows = [label for label in classes if label is not None]
        np.add.at(self._sums, of_rows, shares[known][:, self._labels])
        np.add.at(self._images, of_rows, 1)

    def find_classes(self, names: Sequence[str], count: int) -> dict[int, list[block.ClassShare]]:
        """Returns label → the classes with its largest means, the largest first; {} without an image of any class."""
        there = np.flatnonzero(self._images)
        if not len(there):
            return {}
        means = self._sums[there] / self._images[there, None]
        order = np.argsort(-means, axis=0, kind="stable")[:count]
        return {
            label: [block.ClassShare(names[there[row]], float(means[row, column])) for row in order[:, column]]
            for column, label in enumerate(self._labels)
        }


def _describe_prior(prior: LabelPrior) -> list[str]:
    notes = []
    if prior.fit_failed:
        notes.append(
            "No temperature fits the classifier on the source's eval split: it makes no mistakes there, or knows "
            "nothing. P_t is estimated at a temperature of 1."
        )
    if prior.unmapped_mass is not None:
        notes.append(
            f"The classifier is from elsewhere: {100 * prior.unmapped_mass:.1f}% of what it says is of labels that the "
            f"source lacks, and is left out; {prior.unmapped_labels or 0:,} label(s) of the source it does not know."
        )
    if prior.converged is False:
        notes.append(f"{prior.estimator} did not converge in {prior.iterations} steps.")
    return notes
