"""The history of a training: what its steps were like, report by report. Pure."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Progress:
    """A training's state after `step` of `steps` steps, and what the steps since the last report were like.

    Attributes:
      step, steps: how many are done, and of how many.
      loss: their mean, the weight decay's part included.
      images_per_second: of all replicas together.
      learning_rate: of the last of them.
      accuracy: share of the examples for which the first label was right, while training.
      gradient_norm: mean of the global norm of the gradient, before it is clipped.
      input_wait: share of the time in which the training waited for its input.
    """

    step: int
    steps: int
    loss: float
    images_per_second: float
    learning_rate: float
    accuracy: float
    gradient_norm: float
    input_wait: float


def merge(entries: Sequence[Progress], since: int) -> Progress:
    """Returns successive reports as one.

    Args:
      entries: one or more.
      since: the step before the first of them.
    """
    last = entries[-1]
    if len(entries) == 1:  # as it is, to the last digit
        return last
    counts = [entry.step - before for before, entry in zip([since, *(e.step for e in entries)], entries, strict=False)]
    times = [count / entry.images_per_second for count, entry in zip(counts, entries, strict=True)]

    def mean(name: str, weights: Sequence[float]) -> float:
        return sum(w * getattr(entry, name) for w, entry in zip(weights, entries, strict=True)) / sum(weights)

    return dataclasses.replace(
        last,
        loss=mean("loss", counts),
        accuracy=mean("accuracy", counts),
        gradient_norm=mean("gradient_norm", counts),
        images_per_second=sum(counts) / sum(times),
        input_wait=mean("input_wait", times),
    )
