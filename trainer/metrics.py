"""Metrics of a classifier. Pure."""

import dataclasses

import numpy as np
import scipy.special


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy and loss over a split.

    Labels rank by descending logits. Ties go to the lower label, as in argmax, so that a network with equal logits is
    right for one label, not for all.

    Attributes:
      examples: their number.
      accuracy, top_5_accuracy: share of the examples whose first-ranked label, or one of whose first five, is right.
      mean_per_class_accuracy: mean over the labels that occur of the share of their examples in which they are found. A
        label of an example with m labels is found if it ranks among the first m.
      cross_entropy: mean over the examples, in nats. With the activation 'softmax', between softmax(logits) and equal
        shares of an example's labels; with 'sigmoid', the sum of all classes' binary cross entropies.
    """

    examples: int
    accuracy: float
    top_5_accuracy: float
    mean_per_class_accuracy: float
    cross_entropy: float


class Sums:
    """Accumulates metrics batch by batch, in memory proportional to the number of labels.

    Args:
      activation: 'softmax' or 'sigmoid', the recipe's.
    """

    def __init__(self, activation: str = "softmax"):
        self._activation = activation
        self._examples = 0
        self._top_1 = self._top_5 = self._entropy = 0.0
        self._recalled = self._occurrences = np.zeros(0, np.int64)

    def add(self, logits: np.ndarray, labels: np.ndarray, presence: np.ndarray) -> None:
        """Adds a batch.

        Args:
          logits: float [batch, classes].
          labels: int [batch, n], each example's labels, padded with any class.
          presence: bool [batch, n], false for padding; each example presence at least one label.

        Raises:
          ValueError: the shapes differ, an example presence no label, a label is outside the classes, or a logit is not
            finite.
        """
        if logits.ndim != 2 or labels.ndim != 2 or len(logits) != len(labels) or presence.shape != labels.shape:
            raise ValueError(
                f"logits: shape {logits.shape} for labels {labels.shape}; expected [batch, classes] and [batch, n]"
            )
        if labels.min() < 0 or labels.max() >= logits.shape[1]:
            raise ValueError(
                f"labels: {labels.min()}..{labels.max()} outside the {logits.shape[1]} classes of the model"
            )
        if not presence.any(axis=1).all():
            raise ValueError(f"labels: {(~presence.any(axis=1)).sum()} of {len(labels)} examples have none")
        finite = np.isfinite(logits).all(axis=1)
        if not finite.all():  # no logit is greater than NaN, so such an example would count as right
            raise ValueError(f"logits: not finite for {(~finite).sum()} of {len(logits)} examples; the model is broken")
        ranks = np.where(presence, _ranks(logits, labels), logits.shape[1])
        best = ranks.min(axis=1)
        self._examples += len(labels)
        self._top_1 += (best == 0).sum()
        self._top_5 += (best < 5).sum()
        self._entropy += _cross_entropy(logits.astype(np.float64), labels, presence, self._activation).sum()
        classes = logits.shape[1]
        found = ranks < presence.sum(axis=1, keepdims=True)
        if not self._occurrences.size:
            self._recalled = self._occurrences = np.zeros(classes, np.int64)
        self._occurrences = self._occurrences + np.bincount(labels[presence], minlength=classes)
        self._recalled = self._recalled + np.bincount(labels[found], minlength=classes)

    def metrics(self) -> Metrics:
        """Returns the metrics of all batches.

        Raises:
          ValueError: there was no example.
        """
        if not self._examples:
            raise ValueError("batches: there is no example to evaluate on; the split is empty")
        present = self._occurrences > 0
        return Metrics(
            examples=self._examples,
            accuracy=float(self._top_1 / self._examples),
            top_5_accuracy=float(self._top_5 / self._examples),
            mean_per_class_accuracy=float((self._recalled[present] / self._occurrences[present]).mean()),
            cross_entropy=float(self._entropy / self._examples),
        )


def predict_labels(logits: np.ndarray, activation: str = "softmax") -> tuple[np.ndarray, np.ndarray]:
    """Returns the first-ranked label of each example, int64 [batch], and its probability, float32 [batch].

    Args:
      logits: float [batch, classes].
      activation: 'softmax' or 'sigmoid', the recipe's.
    """
    predicted = logits.argmax(axis=1)
    wide = logits.astype(np.float64)
    probabilities = scipy.special.expit(wide) if activation == "sigmoid" else scipy.special.softmax(wide, axis=1)
    return predicted, np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0].astype(np.float32)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray, presence: np.ndarray, activation: str) -> np.ndarray:
    label_logits = np.where(presence, np.take_along_axis(logits, labels, axis=1), 0).sum(axis=1)
    if activation == "sigmoid":
        return np.logaddexp(0, logits).sum(axis=1) - label_logits
    return scipy.special.logsumexp(logits, axis=1) - label_logits / presence.sum(axis=1)


def _ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how many classes come before each of `labels` [batch, n] in its row of `logits` [batch, classes]."""
    ranks = np.empty(labels.shape, np.int64)
    classes = np.arange(logits.shape[1])
    for column, label in enumerate(labels.T):  # all at once would take n times the memory of the logits
        logit = np.take_along_axis(logits, label[:, None], axis=1)
        ranks[:, column] = ((logits > logit) | ((logits == logit) & (classes < label[:, None]))).sum(axis=1)
    return ranks
