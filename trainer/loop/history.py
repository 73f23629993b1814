"""The history of a training: a report for every few steps. Pure."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Progress:
    """A report after `step` of `steps` steps; the other values are over the steps since the last report.

    Attributes:
      step, steps: steps done, and steps of the whole training.
      loss: mean loss on the images, without weight decay, so that it compares with `eval_loss`.
      images_per_second: of all replicas together.
      learning_rate: that of step `step`.
      accuracy: share of the training examples whose first-ranked label is right.
      gradient_norm: mean of the gradient's global norm before clipping.
      input_wait: share of the time spent waiting for input.
      eval_loss, eval_accuracy: of the eval split after this step, see `trainer.metrics`; None: it was not evaluated.
    """

    step: int
    steps: int
    loss: float
    images_per_second: float
    learning_rate: float
    accuracy: float
    gradient_norm: float
    input_wait: float
    eval_loss: float | None = None
    eval_accuracy: float | None = None


def merge(entries: Sequence[Progress], since: int) -> Progress:
    """Merges successive reports into one.

    Args:
      entries: one or more reports, in order.
      since: the step of the report before the first of them.
    """
    last = entries[-1]
    if len(entries) == 1:  # unchanged, to the last digit
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
