"""The data block: all that the report shows, as frozen dataclasses with a JSON form. Pure.

Shares, accuracies and differences are between 0 and 1 (0.01 is one point), as in the CSVs. What is not known is None.
Columns may be given as numpy arrays: they become tuples, and NaN and infinite values None.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from components.transfer_report.parts import Part, check_lengths, read

FILE_NAME = "block.json"


@dataclasses.dataclass(frozen=True)
class Picture(Part):
    """A thumbnail.

    Attributes:
      id: of the image, its source_id.
      uri: a `data:` URI of a JPEG, PNG or WebP.
      caption: what stands below it; "" shows nothing.

    Raises:
      ValueError: `uri` is not a data URI of an image; the page asks no network for anything.
    """

    id: str
    uri: str
    caption: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.uri.startswith(("data:image/jpeg;base64,", "data:image/png;base64,", "data:image/webp;base64,")):
            raise ValueError(
                f"uri: {self.uri[:40]!r}; give the picture of {self.id!r} as a data: URI of a JPEG, PNG or WebP"
            )


@dataclasses.dataclass(frozen=True)
class Missing(Part):
    """Something that the report should have, and does not.

    Attributes:
      what: such as 'arm same_distribution of pets', or a cell of a comparison.
      why: such as 'pets-same-distribution-specialist failed'.
      target: that it belongs to; "" for the source or the whole.
    """

    what: str
    why: str
    target: str = ""


@dataclasses.dataclass(frozen=True)
class SetAside(Part):
    """Images that were set aside for one reason.

    Attributes:
      reason: why.
      count: how many.
      examples: pictures of some of them, where they can be read.
    """

    reason: str
    count: int
    examples: Sequence[Picture] = ()


@dataclasses.dataclass(frozen=True)
class Source(Part):
    """The source data.

    Attributes:
      images: split → number of images.
      labels: number of labels.
      excluded: split → images excluded as near-duplicates of a target's.
      set_aside: what could not be used, by reason.
      findings: what is suspicious in the data, in words.
    """

    images: Mapping[str, int]
    labels: int
    excluded: Mapping[str, int] = dataclasses.field(default_factory=dict)
    set_aside: Sequence[SetAside] = ()
    findings: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Verdict(Part):
    """What follows for a target.

    Attributes:
      arm: the best arm, chosen on eval; None if no arm has a result.
      sentences: advice in words, about the result first.
      next_steps: what to do next, each a sentence, the most useful first; a command stands in `backticks`.
      pushed_arm: the arm that is configured to be pushed; None without one.
      pushed: whether its model was pushed.
      served: folder of the version that is served, if it is this model; else None.
      why_not: why it is not pushed or served; "" if it is.
    """

    arm: str | None
    sentences: Sequence[str] = ()
    next_steps: Sequence[str] = ()
    pushed_arm: str | None = None
    pushed: bool = False
    served: str | None = None
    why_not: str = ""


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
      arm: the arm whose sample the columns below are of; None without one, and then they are ().
      asked: the share that the sample should have (P_t over the labels with images).
      drawn: n, how many were drawn for the label.
      unique: different images among them.
      repeats: the rest.
      estimator, temperature, images: how P_t was estimated, and from how many target images.
      level: of the interval, such as 0.95.
      effective_labels: exp of P_t's entropy.
      lost_mass: share of P_t on labels without a source image.
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
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        required = ("paths", "counts", "source_share", "target_share", "weights")
        optional = ("low", "high", "asked", "drawn", "unique", "repeats")
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


@dataclasses.dataclass(frozen=True)
class Pair(Part):
    """A source image that resembles a target image.

    Attributes:
      source, target: the pictures.
      distance: between them, in the unit of its kind; None for equal files.
      kind: how they were found, such as 'same file', 'perceptual hash', 'embedding'.
    """

    source: Picture
    target: Picture
    distance: float | None
    kind: str


@dataclasses.dataclass(frozen=True)
class Curve(Part):
    """The history of a training; columns have one value for each report.

    Attributes:
      step: steps done.
      loss, accuracy: on the training images since the last report.
      eval_loss, eval_accuracy: on eval; None where it was not evaluated; () without any.
    """

    step: Sequence[int]
    loss: Sequence[float | None]
    accuracy: Sequence[float | None] = ()
    eval_loss: Sequence[float | None] = ()
    eval_accuracy: Sequence[float | None] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        columns = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
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


@dataclasses.dataclass(frozen=True)
class Target(Part):
    """What was found for a target.

    Attributes:
      images: split → number of images.
      classes: names.
      split: the reported one, 'test' or 'eval'.
      metric: the reported one, such as 'accuracy'.
      verdict: what follows.
      arms: with their results, in the configuration's order; one without a result has no values.
      labels: the source's labels as this target sees them; None without a label prior.
      thumbnails: index of a source label → its pictures.
      explained: target images with their top source labels.
      achieved: arm → how well its sample follows what was asked.
      duplicates: near-duplicates of this target's images in the source.
      set_aside: what could not be used, by reason.
      findings: what is suspicious in the data, in words.
      curves: node → history of its training.
      confusion: of the pushed model, or of the best arm's.
      tables, figures: the paper's, where the results have them.
      facts: name → value, for the model card: backbone, input, pre-training, fine-tuning.
    """

    name: str
    images: Mapping[str, int]
    classes: Sequence[str]
    split: str
    metric: str
    verdict: Verdict
    arms: Sequence[Arm]
    labels: Labels | None = None
    thumbnails: Mapping[int, Sequence[Picture]] = dataclasses.field(default_factory=dict)
    explained: Sequence[Explained] = ()
    achieved: Mapping[str, Achieved] = dataclasses.field(default_factory=dict)
    duplicates: Sequence[Pair] = ()
    set_aside: Sequence[SetAside] = ()
    findings: Sequence[str] = ()
    curves: Mapping[str, Curve] = dataclasses.field(default_factory=dict)
    confusion: Confusion | None = None
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Node(Part):
    """A node of the pipeline, for the lineage.

    Attributes:
      id: of the node.
      kind: of component, such as 'Trainer'.
      state: such as 'ran', 'reused', 'failed', 'blocked'.
      seconds: that it took; None if that is not known.
      needs: ids of the nodes whose outputs it reads.
      outputs: key → URIs.
      note: such as the first line of its error.
    """

    id: str
    kind: str
    state: str
    seconds: float | None = None
    needs: Sequence[str] = ()
    outputs: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Weights(Part):
    """Published weights that something starts from: where they are, whose, and their hash."""

    key: str
    path: str = ""
    sha256: str = ""
    source: str = ""
    licence: str = ""


@dataclasses.dataclass(frozen=True)
class Block(Part):
    """All that a report shows.

    Attributes:
      title: of the report.
      kind: 'run' or 'comparison'.
      made: when the report was made, ISO 8601 in UTC.
      source: the source data; None if it was not read.
      targets: name → what was found.
      mean: arms against the reference in the mean over the targets; () with one target.
      missing: what should be in the report, and is not.
      caveats: what the figures mean, in words.
      level: of the intervals of accuracies and differences.
      configuration: as YAML.
      versions: package → version.
      seeds: of the run, or of the comparison.
      lineage: the nodes, in the order of execution.
      weights: published weights.
      notes: anything else.
    """

    title: str
    kind: Literal["run", "comparison"]
    made: str
    source: Source | None
    targets: Mapping[str, Target]
    mean: Sequence[Difference] = ()
    missing: Sequence[Missing] = ()
    caveats: Sequence[str] = ()
    level: float = 0.95
    configuration: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = ()
    lineage: Sequence[Node] = ()
    weights: Sequence[Weights] = ()
    notes: Sequence[str] = ()


def to_json(block: Block) -> str:
    """Returns the block as JSON (RFC 8259: no NaN)."""
    return json.dumps(dataclasses.asdict(block), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_json(text: str) -> Block:
    """Returns the block in a text from `to_json`.

    Raises:
      ValueError: the text is not JSON, or has not the fields of a block.
    """
    try:
        return read(Block, json.loads(text), "block")
    except json.JSONDecodeError as error:
        raise ValueError(f"block: is not JSON ({error}); make the report again") from error
