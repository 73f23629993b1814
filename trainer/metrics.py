"""What is reported of a classifier. Pure."""

import dataclasses

import numpy as np
import scipy.special


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy and loss over a split.

    Labels rank by falling logits. Of equal ones the lower label comes first, as argmax has it: a network that says the
    same of every label is right for one of them, not for all.

    Attributes:
      examples: how many.
      accuracy, top_5_accuracy: shares of the examples of which the first label, or one of the first five, is right.
      mean_per_class_accuracy: mean of the accuracy of each label that an example has. Of an example with m labels, each
        is found if it is among the first m.
      cross_entropy: mean of the examples' cross entropy, in nats: with the loss 'softmax' that of softmax(logits) to
        equal shares of an example's labels, with 'sigmoid' the sum of each class's binary cross entropy.
    """

    examples: int
    accuracy: float
    top_5_accuracy: float
    mean_per_class_accuracy: float
    cross_entropy: float


class Sums:
    """Adds up what the metrics are made of, batch by batch: memory is for one number a label.

    Args:
      loss: 'softmax' or 'sigmoid', by which the model was trained.
    """

    def __init__(self, loss: str = "softmax"):
        self._loss = loss
        self._examples = 0
        self._right = self._top_5 = self._entropy = 0.0
        self._found = self._asked = np.zeros(0, np.int64)

    def add(self, logits: np.ndarray, labels: np.ndarray, has: np.ndarray) -> None:
        """Adds a batch.

        Args:
          logits: float [batch, classes].
          labels: int [batch, n], each example's labels, and anything within the classes where there are fewer than n.
          has: bool [batch, n], which of them it really has; one or more.

        Raises:
          ValueError: the shapes do not fit, an example has no label, a label is not one of the classes, or a logit is
            not a finite number.
        """
        if logits.ndim != 2 or labels.ndim != 2 or len(logits) != len(labels) or has.shape != labels.shape:
            raise ValueError(
                f"logits: shape {logits.shape} for labels {labels.shape}; expected [batch, classes] and [batch, n]"
            )
        if labels.min() < 0 or labels.max() >= logits.shape[1]:
            raise ValueError(
                f"labels: {labels.min()}..{labels.max()} outside the {logits.shape[1]} classes of the model"
            )
        if not has.any(axis=1).all():
            raise ValueError(f"labels: {(~has.any(axis=1)).sum()} of {len(labels)} examples have none")
        finite = np.isfinite(logits).all(axis=1)
        if not finite.all():  # no logit is greater than NaN: such an example would count as right
            raise ValueError(f"logits: not finite for {(~finite).sum()} of {len(logits)} examples; the model is broken")
        ranks = np.where(has, _ranks(logits, labels), logits.shape[1])
        best = ranks.min(axis=1)
        self._examples += len(labels)
        self._right += (best == 0).sum()
        self._top_5 += (best < 5).sum()
        self._entropy += _cross_entropy(logits.astype(np.float64), labels, has, self._loss).sum()
        classes = logits.shape[1]
        found = ranks < has.sum(axis=1, keepdims=True)
        if not self._asked.size:
            self._found = self._asked = np.zeros(classes, np.int64)
        self._asked = self._asked + np.bincount(labels[has], minlength=classes)
        self._found = self._found + np.bincount(labels[found], minlength=classes)

    def metrics(self) -> Metrics:
        """Returns the metrics of all batches.

        Raises:
          ValueError: there was no example.
        """
        if not self._examples:
            raise ValueError("batches: there is no example in them to evaluate on")
        present = self._asked > 0
        return Metrics(
            examples=self._examples,
            accuracy=float(self._right / self._examples),
            top_5_accuracy=float(self._top_5 / self._examples),
            mean_per_class_accuracy=float((self._found[present] / self._asked[present]).mean()),
            cross_entropy=float(self._entropy / self._examples),
        )


def _cross_entropy(logits: np.ndarray, labels: np.ndarray, has: np.ndarray, loss: str) -> np.ndarray:
    own = np.where(has, np.take_along_axis(logits, labels, axis=1), 0).sum(axis=1)
    if loss == "sigmoid":
        return np.logaddexp(0, logits).sum(axis=1) - own
    return scipy.special.logsumexp(logits, axis=1) - own / has.sum(axis=1)


def _ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns how many classes come before each of `labels` [batch, n] in its row of `logits` [batch, classes]."""
    ranks = np.empty(labels.shape, np.int64)
    classes = np.arange(logits.shape[1])
    for column, label in enumerate(labels.T):  # not all at once, which would take n times the logits
        own = np.take_along_axis(logits, label[:, None], axis=1)
        ranks[:, column] = ((logits > own) | ((logits == own) & (classes < label[:, None]))).sum(axis=1)
    return ranks
