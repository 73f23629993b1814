"""The whole of a report, and its JSON. Pure."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from components.transfer_report.block.data import Pair, Picture, SetAside, Source
from components.transfer_report.block.labels import Achieved, Explained, Labels
from components.transfer_report.block.part import Part, read
from components.transfer_report.block.results import Arm, Confusion, Curve, Difference, Figure, Table, Verdict

FILE_NAME = "block.json"


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
