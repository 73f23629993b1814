"""The source's labels as a target sees them. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.transfer_report.block.data import Picture
from components.transfer_report.block.part import Part, check_lengths


@dataclasses.dataclass(frozen=True)
class ClassShare(Part):
    """A class of the target, and the share of a label in its images."""

    name: str
    share: float


@dataclasses.dataclass(frozen=True)
class Doubt(Part):
    """A label whose resemblance to the target is doubtful.

    Attributes:
      label: its index.
      images: the target's images that the classifier takes for it.
      ratio: how many times as far they are from the source's images of it as these are from each other.
      pictures: some of them.
    """

    label: int
    images: int
    ratio: float | None = None
    pictures: Sequence[Picture] = ()


@dataclasses.dataclass(frozen=True)
class Labels(Part):
    """The source's labels as a target sees them; columns have one value for each label, in the vocabulary's order.

    Attributes:
      names: of the labels.
      paths: the nodes of the hierarchy above each label, the topmost first; () without a hierarchy.
      counts: N_y.
      source_share: P_s.
      target_share: P_t.
      low, high: the interval of P_t; () without one.
      weights: w.
      flagged: whether the target's images that are taken for a label are unlike the source's images of it; () where
        that was not tested.
      doubts: the flagged labels with the most P_t, that with the most first.
      arm: the arm whose sample the columns below are of; None without one, and then they are ().
      asked: the share that the sample should have (P_t over the labels with images).
      drawn: n, how many were drawn for the label.
      unique: different images among them.
      repeats: the rest.
      estimator, temperature, images: how P_t was estimated, and from how many target images.
      level: of the interval, such as 0.95.
      effective_labels: exp of P_t's entropy.
      lost_mass: share of P_t on labels without a source image.
      seen_in: label, by its index → the target's classes in whose images it has the largest mean share, the largest
        first; of the labels with the most P_t.
      looked_at: the number of target images that `seen_in` is a mean over.
      notes: what else is to know about P_t, in words.

    Raises:
      ValueError: a column has another length than `names`.
    """

    names: Sequence[str]
    paths: Sequence[Sequence[str]]
    counts: Sequence[int]
    source_share: Sequence[float]
    target_share: Sequence[float]
    weights: Sequence[float]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    flagged: Sequence[bool] = ()
    doubts: Sequence[Doubt] = ()
    arm: str | None = None
    asked: Sequence[float] = ()
    drawn: Sequence[int] = ()
    unique: Sequence[int] = ()
    repeats: Sequence[int] = ()
    estimator: str = ""
    temperature: float | None = None
    images: int | None = None
    level: float | None = None
    effective_labels: float | None = None
    lost_mass: float | None = None
    seen_in: Mapping[int, Sequence[ClassShare]] = dataclasses.field(default_factory=dict)
    looked_at: int | None = None
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        required = ("paths", "counts", "source_share", "target_share", "weights")
        optional = ("low", "high", "flagged", "asked", "drawn", "unique", "repeats")
        check_lengths(
            "labels",
            {"names": self.names}
            | {name: getattr(self, name) for name in required}
            | {name: getattr(self, name) for name in optional if getattr(self, name)},
        )


@dataclasses.dataclass(frozen=True)
class LabelShare(Part):
    """A source label, by its index, and its share."""

    label: int
    share: float


@dataclasses.dataclass(frozen=True)
class Explained(Part):
    """A target image, and what the source classifier sees in it.

    Attributes:
      picture: the image.
      label: its true class; "" if that is not known.
      top: the source labels with the largest shares, the largest first.
    """

    picture: Picture
    label: str
    top: Sequence[LabelShare]


@dataclasses.dataclass(frozen=True)
class Achieved(Part):
    """How well an arm's sample has the distribution that was asked for.

    Attributes:
      examples, unique_examples: images of the sample, repeats included, and different ones.
      max_copies: of one image.
      distance_drawn, distance_seen, distance_source: total variation distance to what was asked: of what was drawn, of
        what training sees, and of the source itself.
    """

    examples: int | None = None
    unique_examples: int | None = None
    max_copies: int | None = None
    distance_drawn: float | None = None
    distance_seen: float | None = None
    distance_source: float | None = None
