"""The source's labels as a target sees them: their numbers, their pictures, and images that explain them."""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components import storage
from components.artifacts import exclusions, label_map, predictions, vocabulary
from components.artifacts.label_prior import LabelPrior
from components.transfer_report import block, top_labels
from pipeline.nodes import ids
from pipeline.report import data, labels, pictures
from pipeline.report.inputs import Inputs
from pipeline.report.target import Shared

_LABELS, _OF_LABEL = 200, 3  # labels with thumbnails, of all targets together, and images of each
_EXPLAINED, _TOP = 24, 5  # target images that are explained, and labels of each
_LOOKED_AT = 512  # images of which those are chosen
_CLASSES = 3  # in whose images a label is seen most
_DOUBTS, _OF_DOUBT = 12, 3  # doubtful labels that are shown, and images of the target for each
_ROWS_AT_ONCE = 32  # of logits: all may be more than the memory holds
_BUFFER_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class SourceLabels:
    """The fields of a `block.Target` that are of the source's labels."""

    labels: block.Labels | None = None
    thumbnails: Mapping[int, Sequence[block.Picture]] = dataclasses.field(default_factory=dict)
    explained: Sequence[block.Explained] = ()
    achieved: Mapping[str, block.Achieved] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What is seen in images of a target.

    Attributes:
      explained: some of them, each with its top labels.
      classes: label → the classes in whose images it is seen most.
      pictures: label → images that are taken for it.
      looked_at: the number of images; None: there are no predictions.
    """

    explained: Sequence[block.Explained] = ()
    classes: Mapping[int, Sequence[block.ClassShare]] = dataclasses.field(default_factory=dict)
    pictures: Mapping[int, Sequence[block.Picture]] = dataclasses.field(default_factory=dict)
    looked_at: int | None = None


def describe(
    shared: Shared,
    target: str,
    prior: LabelPrior | None,
    predictor: str,
    classes: Sequence[str],
    plans: Mapping[str, pa.Table],
    arm: str | None,
) -> SourceLabels:
    """Returns what the report says of the source's labels.

    Args:
      shared: of the report.
      target: its name.
      prior: of the target; None: there is none, and nothing is said.
      predictor: the Predictor of its images.
      classes: names of the target's.
      plans: arm → the labels of its plan.
      arm: whose sample stands beside the labels; None: nobody's.
    """
    achieved = {name: labels.describe_sample(table, prior) for name, table in plans.items()}
    if prior is None:
        return SourceLabels(achieved=achieved)
    described = labels.describe_labels(prior, shared.vocabulary, plans.get(arm or ""), arm)
    first = list(top_labels.order_by_share(described)[: top_labels.COUNT])
    doubtful = top_labels.list_flagged(described)[:_DOUBTS]
    seen = _look_at_images(shared, target, predictor, prior, classes, first, doubtful)
    with_pictures = max(1, _LABELS // len(shared.inputs.config.targets))
    shown = labels.order_by_share(prior, with_pictures)
    named = [*doubtful, *(top.label for found in seen.explained for top in found.top)]
    wanted = dict.fromkeys([*shown, *(label for label in named if prior.counts[label])])
    doubts = labels.describe_doubts(prior, doubtful, seen.pictures)
    return SourceLabels(
        dataclasses.replace(described, doubts=doubts, seen_in=seen.classes, looked_at=seen.looked_at),
        _picture_labels(shared, prior, list(wanted)),
        seen.explained,
        achieved,
    )


def _picture_labels(shared: Shared, prior: LabelPrior, wanted: Sequence[int]) -> dict[int, list[block.Picture]]:
    """Returns index of a label → thumbnails of its train images; the first labels get theirs first."""
    index_uri, examples_uri = (find(shared.inputs, ids.SOURCE) for find in (data.index_of, data.images_of))
    if examples_uri is None or shared.vocabulary is None:
        return {}
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


def _look_at_images(
    shared: Shared,
    target: str,
    node: str,
    prior: LabelPrior,
    classes: Sequence[str],
    wanted: Sequence[int],
    doubtful: Sequence[int],
) -> _Seen:
    """Returns what is seen in images of a target: the classes of the labels `wanted`, images of the `doubtful`."""
    inputs = shared.inputs
    uri = inputs.uri(node, "predictions")
    files = sorted(tf.io.gfile.glob(os.path.join(uri, "Split-train", predictions.FILE_PATTERN))) if uri else []
    if uri is None or not files:
        return _Seen()
    index_uri, examples_uri = data.index_of(inputs, target), data.images_of(inputs, target)
    batches = _read_batches(files[0], ["source_id"], _LOOKED_AT)
    image_ids = [image_id for batch in batches for image_id in batch["source_id"].to_pylist()]
    truth = _read_labels(index_uri, "train", image_ids)
    of_rows = [truth.get(image_id) for image_id in image_ids]
    rows = _choose_by_class(of_rows, _EXPLAINED)
    means = labels.ClassMeans(wanted, len(classes))
    ranked: dict[int, list[block.LabelShare]] = {}
    rows_of: dict[int, list[int]] = {label: [] for label in doubtful}
    start = 0
    for shares in _read_shares(inputs, uri, files[0], prior):
        means.add(shares, of_rows[start : start + len(shares)])
        chosen = [row for row in rows if start <= row < start + len(shares)]
        top = labels.rank_labels(shares[[row - start for row in chosen]], _TOP)
        ranked |= zip(chosen, top, strict=True)
        for row, label in enumerate(shares.argmax(axis=1).tolist(), start):
            if len(rows_of.get(label, range(_OF_DOUBT))) < _OF_DOUBT:
                rows_of[label].append(row)
        start += len(shares)
    every = dict.fromkeys([*rows, *(row for of_label in rows_of.values() for row in of_label)])
    shown = shared.made.read(pictures.locate(index_uri, examples_uri, "train", [image_ids[row] for row in every]))
    explained = [
        block.Explained(shown[image_id], classes[label] if (label := of_rows[row]) is not None else "", ranked[row])
        for row in rows
        if (image_id := image_ids[row]) in shown
    ]
    found = {
        label: [shown[image_ids[row]] for row in of_label if image_ids[row] in shown]
        for label, of_label in rows_of.items()
    }
    return _Seen(explained, means.find_classes(classes, _CLASSES), found, len(image_ids))


def _read_shares(inputs: Inputs, uri: str, path: str, prior: LabelPrior) -> Iterator[np.ndarray]:
    """Yields what the classifier says of the first images of a file of Predictions, some images at a time."""
    names: Sequence[str] = prior.names
    if tf.io.gfile.exists(names_path := os.path.join(uri, vocabulary.FILE_NAME)):
        names = vocabulary.loads(storage.read_text(names_path)).names
    match = None
    if tf.io.gfile.exists(map_path := os.path.join(uri, label_map.FILE_NAME)):  # of a classifier from elsewhere
        match = label_map.match(tuple(names), label_map.loads(storage.read_text(map_path)), prior.names)
    for batch in _read_batches(path, ["logits"], _LOOKED_AT):
        yield labels.share_labels(batch, names, prior, inputs.config.classifier.activation, match)


def _read_batches(path: str, columns: list[str], count: int) -> Iterator[pa.Table]:
    """Yields the first `count` rows of a table, some at a time, without holding all of them."""
    if storage.is_remote(path):
        found = storage.read_table(path, columns).slice(0, count)
        yield from (found.slice(start, _ROWS_AT_ONCE) for start in range(0, len(found), _ROWS_AT_ONCE))
        return
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
            yield pa.Table.from_batches([batch.slice(0, count)])
            count -= len(batch)
            if count <= 0:
                return


def _read_labels(index_uri: str | None, split: str, image_ids: Iterable[str]) -> dict[str, int]:
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
