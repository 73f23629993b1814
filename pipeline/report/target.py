"""What was found for a target: its labels, images, samples, curves, and what becomes of its model."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components import storage
from components.artifacts import exclusions, label_map, label_prior, plan, vocabulary
from components.artifacts import predictions as logits
from components.artifacts.label_prior import LabelPrior
from components.artifacts.vocabulary import Vocabulary
from components.transfer_report import block
from pipeline.nodes import ids
from pipeline.report import confusion, curves, data, labels, pictures
from pipeline.report.inputs import Inputs
from pipeline.report.pictures import Pictures
from pipeline.results import verdict
from trainer.results import HISTORY_FILE

_LABELS, _OF_LABEL = 200, 3  # labels with thumbnails, of all targets together, and images of each
_EXPLAINED, _TOP = 24, 5  # target images that are explained, and labels of each
_LOOKED_AT = 512  # images of which those are chosen
_ROWS_AT_ONCE = 32  # of logits: all may be more than the memory holds
_BUFFER_BYTES = 1 << 20
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


def read_prior(inputs: Inputs, node: str) -> LabelPrior | None:
    """Returns the label prior that a node estimated; None: it is not there."""
    path = inputs.path(node, "label_prior", label_prior.FILE_NAME)
    return label_prior.from_table(storage.read_table(path)) if path else None


def read_plan(inputs: Inputs, node: str) -> pa.Table | None:
    """Returns the labels of a node's plan; None: it is not there."""
    path = inputs.path(node, "plan", plan.LABELS_FILE)
    return storage.read_table(path) if path else None


def picture_labels(shared: Shared, prior: LabelPrior, count: int) -> dict[int, list[block.Picture]]:
    """Returns index of a label → thumbnails of its train images, for the `count` labels with the most P_t."""
    index_uri, examples_uri = (find(shared.inputs, ids.SOURCE) for find in (data.index_of, data.images_of))
    if examples_uri is None or shared.vocabulary is None:
        return {}
    wanted = labels.order_by_share(prior, count)
    at = vocabulary.positions(prior.names, shared.vocabulary.names, "label_prior")
    chosen = pictures.choose_of_labels(
        index_uri,
        [int(at[label]) for label in wanted],
        _OF_LABEL,
        exclusions.excluded_keys(shared.pairs),
        len(shared.vocabulary),
    )
    ids_of = {label: chosen.get(int(at[label]), []) for label in wanted}
    every = list(dict.fromkeys(image_id for of_label in ids_of.values() for image_id in of_label))
    shown = shared.made.read(pictures.locate(index_uri, examples_uri, "train", every))
    found = {label: [shown[each] for each in of_label if each in shown] for label, of_label in ids_of.items()}
    return {label: of_label for label, of_label in found.items() if of_label}


def count_labels(targets: int) -> int:
    """Returns how many labels of a target have thumbnails, if there are so many targets."""
    return max(1, _LABELS // max(1, targets))


def explain_images(shared: Shared, target: str, node: str, prior: LabelPrior, classes: Sequence[str]):
    """Returns images of a target with the source labels that the classifier sees in them.

    Args:
      shared: of the report.
      target: its name.
      node: the Predictor of its images.
      prior: of the target, at whose temperature it is said.
      classes: names of the target's.
    """
    inputs = shared.inputs
    uri = inputs.uri(node, "predictions")
    index_uri, examples_uri = data.index_of(inputs, target), data.images_of(inputs, target)
    files = sorted(tf.io.gfile.glob(os.path.join(uri, "Split-train", logits.FILE_PATTERN))) if uri else []
    if uri is None or examples_uri is None or not files:
        return []
    image_ids = _read_rows(files[0], ["source_id"], range(_LOOKED_AT))["source_id"].to_pylist()
    truth = _read_labels(index_uri, "train", image_ids)
    rows = _choose_by_class([truth.get(image_id) for image_id in image_ids], _EXPLAINED)
    image_ids = [image_ids[row] for row in rows]
    table = _read_rows(files[0], ["logits"], rows)
    names_path = os.path.join(uri, vocabulary.FILE_NAME)
    names: Sequence[str] = prior.names
    if tf.io.gfile.exists(names_path):
        names = vocabulary.loads(storage.read_text(names_path)).names
    match = None
    if tf.io.gfile.exists(os.path.join(uri, label_map.FILE_NAME)):  # of a classifier from elsewhere
        pairs = label_map.loads(storage.read_text(os.path.join(uri, label_map.FILE_NAME)))
        match = label_map.match(tuple(names), pairs, prior.names)
    ranked = labels.rank_labels(table, names, prior, inputs.config.classifier.activation, _TOP, match)
    shown = shared.made.read(pictures.locate(index_uri, examples_uri, "train", image_ids))
    return [
        block.Explained(shown[image_id], classes[label] if (label := truth.get(image_id)) is not None else "", top)
        for image_id, top in zip(image_ids, ranked, strict=True)
        if image_id in shown
    ]


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


def _read_rows(path: str, columns: list[str], rows: Sequence[int]) -> pa.Table:
    """Returns these rows of a table, of those that it has, in their order, without holding all of it."""
    if storage.is_remote(path):
        table = storage.read_table(path, columns)
        return table.take(pa.array([row for row in rows if row < len(table)], pa.int64()))
    at = {row: place for place, row in enumerate(rows)}
    found: list[tuple[int, pa.Table]] = []
    start = 0
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
        empty = file.schema_arrow.empty_table().select(columns)
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            table = pa.Table.from_batches([batch])
            for row in range(start, start + len(table)):
                if row in at:
                    found.append((at[row], table.take(pa.array([row - start]))))
            start += len(table)
            if len(found) == len(at):
                break
    return pa.concat_tables([empty, *(row for _, row in sorted(found, key=lambda pair: pair[0]))])


def _read_labels(index_uri: str | None, split: str, image_ids: Sequence[str]) -> dict[str, int]:
    """Returns id → its label, of these images."""
    table = pictures.read_index(index_uri, split, ["source_id", "labels"])
    if table is None:
        return {}
    wanted = set(image_ids)
    found = zip(table["source_id"].to_pylist(), table["labels"].to_pylist(), strict=True)
    return {image_id: of_image[0] for image_id, of_image in found if image_id in wanted}


def _choose_by_class(classes: Sequence[int | None], count: int) -> list[int]:
    """Returns `count` rows, as many of each class as there can be, by their class."""
    of_class: dict[int, list[int]] = {}
    for row, label in enumerate(classes):
        of_class.setdefault(-1 if label is None else label, []).append(row)
    rank = {row: (place, label) for label, rows in of_class.items() for place, row in enumerate(rows)}
    chosen = sorted(rank, key=lambda row: rank[row])[:count]
    return sorted(chosen, key=lambda row: (rank[row][1], rank[row][0]))
