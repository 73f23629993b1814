"""What is reported of a classifier. Pure."""

import dataclasses

import numpy as np
import scipy.special


@dataclasses.dataclass(frozen=True)
class Metrics:
    """Accuracy and loss over a split.

    Attributes:
      examples: how many.
      accuracy, top_5_accuracy: shares of the examples whose label is the first, or among the first five.
      mean_per_class_accuracy: mean of the accuracy of each class that has an example.
      cross_entropy: mean of −log p(label), natural logarithm.
    """

    examples: int
    accuracy: float
    top_5_accuracy: float
    mean_per_class_accuracy: float
    cross_entropy: float


def compute(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """Returns the metrics of `logits` [examples, classes] against `labels` int [examples].

    Classes rank by falling logits. Of equal ones the lower class comes first, as argmax has it: a network that says the
    same of every class is right for one class, not for all.

    Raises:
      ValueError: there is no example, a label is not one of the classes, or a logit is not a finite number.
    """
    if logits.ndim != 2 or len(logits) != len(labels) or not len(labels):
        raise ValueError(
            f"logits: shape {logits.shape} for {len(labels)} labels; expected [examples, classes], not empty"
        )
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels: {labels.min()}..{labels.max()} outside the {logits.shape[1]} classes of the model")
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():  # no logit is greater than NaN: such an example would count as right
        raise ValueError(f"logits: not finite for {(~finite).sum()} of {len(logits)} examples; the model is broken")
    own = logits[np.arange(len(labels)), labels]
    before = (logits == own[:, None]) & (np.arange(logits.shape[1]) < labels[:, None])
    rank = ((logits > own[:, None]) | before).sum(axis=1)
    per_class = np.bincount(labels, minlength=logits.shape[1])
    right = np.bincount(labels, weights=rank == 0, minlength=logits.shape[1])
    return Metrics(
        examples=len(labels),
        accuracy=float((rank == 0).mean()),
        top_5_accuracy=float((rank < 5).mean()),
        mean_per_class_accuracy=float((right[per_class > 0] / per_class[per_class > 0]).mean()),
        cross_entropy=float((scipy.special.logsumexp(logits.astype(np.float64), axis=1) - own).mean()),
    )
