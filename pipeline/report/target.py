"""What was found for a target: its labels, images, samples, curves, and what becomes of its model."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf

from components import storage
from components.artifacts import label_prior, plan
from components.artifacts.label_prior import LabelPrior
from components.artifacts.vocabulary import Vocabulary
from components.transfer_report import block
from pipeline.nodes import ids
from pipeline.report import confusion, curves, data, pictures
from pipeline.report.inputs import Inputs
from pipeline.report.pictures import Pictures
from pipeline.results import verdict
from trainer.results import HISTORY_FILE

_CONFUSED, _OF_PAIR = 8, 3  # pairs of classes, and images of each


@dataclasses.dataclass(frozen=True)
class Shared:
    """What all targets of a report share.

    Attributes:
      inputs: what the report is made of.
      made: its pictures.
      vocabulary: of the source; None: it was not read.
      pairs: near-duplicates.
    """

    inputs: Inputs
    made: Pictures
    vocabulary: Vocabulary | None
    pairs: pa.Table

    @classmethod
    def of(cls, inputs: Inputs) -> "Shared":
        """Returns what the targets of a report share."""
        return cls(inputs, Pictures(), data.read_vocabulary(inputs, ids.SOURCE), data.read_exclusions(inputs))


def read_source(shared: Shared) -> block.Source | None:
    """Returns the source data; None: they were not read."""
    summary = data.read_summary(shared.inputs, ids.SOURCE)
    if not summary or shared.vocabulary is None:
        return None
    return block.Source(
        images=summary["examples"],
        labels=len(shared.vocabulary),
        excluded=data.count_excluded(shared.inputs),
        set_aside=data.list_set_aside(shared.inputs, ids.SOURCE, shared.made),
        findings=data.list_findings(summary),
    )


def describe_data(shared: Shared, name: str, classes: Sequence[str]) -> dict[str, Any]:
    """Returns what a report says of a target's data, as fields of `block.Target`."""
    summary = data.read_summary(shared.inputs, name)
    return {
        "images": summary.get("examples", {}),
        "classes": classes,
        "duplicates": data.list_duplicates(shared.inputs, name, shared.pairs, shared.made),
        "set_aside": data.list_set_aside(shared.inputs, name, shared.made),
        "findings": data.list_findings(summary),
    }


def read_prior(inputs: Inputs, node: str) -> LabelPrior | None:
    """Returns the label prior that a node estimated; None: it is not there."""
    path = inputs.path(node, "label_prior", label_prior.FILE_NAME)
    return label_prior.from_table(storage.read_table(path)) if path else None


def read_plan(inputs: Inputs, node: str) -> pa.Table | None:
    """Returns the labels of a node's plan; None: it is not there."""
    path = inputs.path(node, "plan", plan.LABELS_FILE)
    return storage.read_table(path) if path else None


def read_curves(inputs: Inputs, trainings: Mapping[str, str]) -> dict[str, block.Curve]:
    """Returns node → the history of its training, of those that are there.

    Args:
      inputs: what the report is made of.
      trainings: node → what it trains, for a reader.
    """
    found = {}
    for node, title in trainings.items():
        path = inputs.path(node, "model_run", HISTORY_FILE)
        if path and tf.io.gfile.exists(path):
            found[node] = curves.parse_history(storage.read_text(path), title)
    return found


def read_confusion(
    shared: Shared, target: str, arm: str, table: pa.Table, split: str, classes: Sequence[str]
) -> block.Confusion:
    """Returns the confusion matrix of an arm's model, with images of the most confused pairs.

    Args:
      shared: of the report.
      target: its name.
      arm: the arm.
      table: the kept predictions, with the columns of `predicted_labels.SCHEMA`.
      split: that they are for.
      classes: names.
    """
    matrix = confusion.count_confusions(table, len(classes))
    pairs = confusion.list_pairs(matrix, _CONFUSED)
    image_ids = [confusion.find_examples(table, true, predicted, _OF_PAIR) for true, predicted, _ in pairs]
    every = [image_id for of_pair in image_ids for image_id in of_pair]
    places = pictures.locate(data.index_of(shared.inputs, target), data.images_of(shared.inputs, target), split, every)
    shown = shared.made.read(places)
    described = [
        block.ConfusedPair(classes[true], classes[predicted], count, [shown[each] for each in of_pair if each in shown])
        for (true, predicted, count), of_pair in zip(pairs, image_ids, strict=True)
    ]
    return confusion.describe(arm, matrix, classes, described)


def judge(inputs: Inputs, target: str) -> verdict.Verdict:
    """Returns what became of a target's model."""
    nodes = [ids.side_node(target, kind) for kind in (ids.BASELINE, ids.EVALUATOR, ids.PUSHER)]
    outputs = {
        name.partition(".")[2]: [artifact]
        for name, artifact in inputs.artifacts.items()
        if name.partition(".")[0] in nodes
    }
    return verdict.judge(outputs, _find_serving(inputs, target, outputs), inputs.config.targets[target].evaluation)


def _find_serving(inputs: Inputs, target: str, outputs: Mapping) -> str:
    """Returns the folder that the server of a target's models watches; "": it is not known."""
    for artifact in outputs.get("pushed_model", ()):
        for key in ("pushed_destination", "served_instead", "rolled_back"):
            if key in artifact.custom_properties and artifact.custom_properties[key].string_value:
                return os.path.dirname(artifact.custom_properties[key].string_value)
    return os.path.join(inputs.workspace, "serving", target) if inputs.workspace else ""
