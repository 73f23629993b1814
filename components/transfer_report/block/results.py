"""The results of arms, and what follows from them. Pure."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

from components.transfer_report.block.data import Picture
from components.transfer_report.block.part import Part, check_lengths


@dataclasses.dataclass(frozen=True)
class Arm(Part):
    """The results and the cost of an arm on a target.

    Attributes:
      name: of the arm.
      description: what it is pre-trained on, in words.
      reference: whether the others are compared with it.
      seeds: those with a result.
      values: one for each of `seeds`, of the reported split.
      mean, low, high: of `values`, with an interval; the ends are None with one seed.
      eval_mean: the mean on eval, by which arms are chosen.
      difference, difference_low, difference_high: to the reference; None for itself, and where it is not compared.
      verdict: 'better', 'worse', 'equal' or 'cannot tell'; "" where it is not compared.
      in_words: the comparison as one line; "" where it is not compared.
      gained, lost: images of the reported split that only this arm has right, and that only the reference has right, of
        the one seed that both have; None with more seeds, and where the predictions are not kept.
      images_low, images_high: the interval of the difference from those images alone: of other images, not other seeds.
      pool: images that its pre-training could draw from: those of its sample, repeats included, or of the whole source;
        None without a pre-training.
      pool_kind: which of the two it is; "" without a pre-training.
      images, total_images: that the pre-training saw; with the classifier's.
      seconds, total_seconds: of training; with the classifier's.

    Raises:
      ValueError: there is not one value for each seed.
    """

    name: str
    description: str = ""
    reference: bool = False
    seeds: Sequence[int] = ()
    values: Sequence[float | None] = ()
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    eval_mean: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    verdict: Literal["better", "worse", "equal", "cannot tell", ""] = ""
    in_words: str = ""
    gained: int | None = None
    lost: int | None = None
    images_low: float | None = None
    images_high: float | None = None
    pool: int | None = None
    pool_kind: Literal["source", "sample", ""] = ""
    images: int | None = None
    total_images: int | None = None
    seconds: float | None = None
    total_seconds: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lengths(f"arm {self.name}", {"seeds": self.seeds, "values": self.values})


@dataclasses.dataclass(frozen=True)
class Difference(Part):
    """An arm against the reference, in the mean over the targets. The fields are those of `Arm`."""

    arm: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    verdict: str = ""
    in_words: str = ""


@dataclasses.dataclass(frozen=True)
class Step(Part):
    """Something to do next.

    Attributes:
      text: a sentence.
      command: that does it; "" without one.
      seconds: of training that it takes, by how long the trainings here took; None if that is not known.
    """

    text: str
    command: str = ""
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Criterion(Part):
    """What a model has to reach on eval to be pushed.

    Attributes:
      metric: that decides.
      minimum: the smallest value that may be pushed.
      value: of the model that was to be pushed; None if that is not known.
      passed: whether it is good enough, compared with the model before it, too; None if that is not known.
    """

    metric: str
    minimum: float
    value: float | None = None
    passed: bool | None = None


@dataclasses.dataclass(frozen=True)
class Verdict(Part):
    """What follows for a target.

    Attributes:
      arm: the best arm, chosen on eval; None if no arm has a result.
      sentences: advice in words, about the result first.
      next_steps: what to do next, the most useful first.
      pushed_arm: the arm that is configured to be pushed; None without one.
      pushed: whether its model was pushed.
      served: folder of the version that is served, if it is this model; else None.
      why_not: why it is not pushed or served; "" if it is.
      criterion: what its model has to reach; None without an arm to push.
    """

    arm: str | None
    sentences: Sequence[str] = ()
    next_steps: Sequence[Step] = ()
    pushed_arm: str | None = None
    pushed: bool = False
    served: str | None = None
    why_not: str = ""
    criterion: Criterion | None = None


@dataclasses.dataclass(frozen=True)
class Curve(Part):
    """The history of a training; columns have one value for each report.

    Attributes:
      step: steps done.
      loss, accuracy: on the training images since the last report.
      eval_loss, eval_accuracy: on eval; None where it was not evaluated; () without any.
      title: what is trained, for a reader.
    """

    step: Sequence[int]
    loss: Sequence[float | None]
    accuracy: Sequence[float | None] = ()
    eval_loss: Sequence[float | None] = ()
    eval_accuracy: Sequence[float | None] = ()
    title: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "title"}
        given = {name: column for name, column in columns.items() if column or name == "loss"}
        check_lengths("curve", {"step": self.step} | given)


@dataclasses.dataclass(frozen=True)
class ConfusedPair(Part):
    """Images of the class `true` that were taken for `predicted`; classes by name."""

    true: str
    predicted: str
    count: int
    examples: Sequence[Picture] = ()


@dataclasses.dataclass(frozen=True)
class Confusion(Part):
    """The confusion matrix of a model on the reported split.

    Attributes:
      arm: whose model it is.
      classes: names.
      rows: a row for each true class, with the number of images for each predicted one.
      pairs: the most confused pairs, the largest first.
    """

    arm: str
    classes: Sequence[str]
    rows: Sequence[Sequence[int]]
    pairs: Sequence[ConfusedPair] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_lengths("confusion", {"classes": self.classes, "rows": self.rows})
        for row in self.rows:
            check_lengths("confusion", {"classes": self.classes, "row": row})


@dataclasses.dataclass(frozen=True)
class Table(Part):
    """A table of texts, such as one of the paper's."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Figure(Part):
    """A figure, such as one of the paper's: a title, a sentence about it, and an SVG."""

    title: str
    caption: str
    svg: str
