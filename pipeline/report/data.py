"""What is known of the data sets: how many images, what was set aside, what is suspicious, what is in both."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import tensorflow as tf

from components import storage
from components.artifacts import data_report, exclusions, findings, rejected, vocabulary
from components.artifacts.vocabulary import Vocabulary
from components.transfer_report import block
from pipeline.nodes import ids
from pipeline.report import pictures
from pipeline.report.inputs import Inputs
from pipeline.report.pictures import Pictures

_EXAMPLES_OF_REASON = 6
_PAIRS = 12
_KINDS = {"identical": "same file", "perceptual_hash": "perceptual hash", "embedding": "embedding"}


def read_summary(inputs: Inputs, side: str) -> dict:
    """Returns the summary of the data of a side; empty: it was not read."""
    path = inputs.path(ids.side_node(side, ids.EXAMPLES), "index", data_report.SUMMARY_FILE)
    return json.loads(storage.read_text(path)) if path else {}


def read_vocabulary(inputs: Inputs, side: str) -> Vocabulary | None:
    """Returns the labels of a side; None: its data were not read."""
    path = inputs.path(ids.side_node(side, ids.EXAMPLES), "vocabulary", vocabulary.FILE_NAME)
    return vocabulary.loads(storage.read_text(path)) if path else None


def index_of(inputs: Inputs, side: str) -> str | None:
    """Returns the URI of the index of a side; None: it is not there."""
    return inputs.uri(ids.side_node(side, ids.EXAMPLES), "index")


def images_of(inputs: Inputs, side: str) -> str | None:
    """Returns the URI of the Examples of a side; None: they are not there, or not to be shown."""
    return inputs.uri(ids.side_node(side, ids.EXAMPLES), "examples") if shows(inputs, side) else None


def shows(inputs: Inputs, side: str) -> bool:
    """Returns whether the report may show images of a side."""
    images = inputs.config.report.images
    return images == "all" or (images == "source" and side == ids.SOURCE)


def list_findings(summary: Mapping) -> list[str]:
    """Returns what is suspicious, in words; what is set aside is listed elsewhere."""
    found = findings.load(summary.get("findings", ()))
    return [findings.describe(each) for each in found if not each.kind.startswith("set_aside")]


def list_set_aside(inputs: Inputs, side: str, made: Pictures) -> list[block.SetAside]:
    """Returns the images of a side that were set aside, by reason, the most frequent first."""
    uri = inputs.uri(ids.side_node(side, ids.EXAMPLES), "rejected")
    tables = [] if uri is None else [storage.read_table(path) for path in _list_tables(uri, rejected.FILE_PATTERN)]
    found = []
    for reason, count in rejected.count_reasons(tables).items():
        files = _list_files(tables, reason) if shows(inputs, side) else ()
        found.append(block.SetAside(reason, count, pictures.read_files(files, made, _EXAMPLES_OF_REASON)))
    return found


def count_excluded(inputs: Inputs) -> dict[str, int]:
    """Returns split of the source → images excluded as near-duplicates of a target's."""
    path = inputs.path(_exclusions_node(inputs), "exclusions", exclusions.SUMMARY_FILE)
    source = json.loads(storage.read_text(path))["source"] if path else {}
    return {split: counts["excluded"] for split, counts in source.items()}


def read_exclusions(inputs: Inputs) -> pa.Table:
    """Returns all pairs of near-duplicates."""
    uri = inputs.uri(_exclusions_node(inputs), "exclusions")
    paths = _list_tables(uri, exclusions.FILE_PATTERN) if uri else []
    return storage.read_table(paths) if paths else exclusions.SCHEMA.empty_table()


def list_duplicates(inputs: Inputs, target: str, pairs: pa.Table, made: Pictures) -> list[block.Pair]:
    """Returns pairs of a target's images and the source's that they resemble, from the nearest to the farthest.

    Args:
      inputs: what the report is made of.
      target: its name.
      pairs: those of `read_exclusions`.
      made: the pictures of the report.
    """
    rows = [row for row in pairs.to_pylist() if row["target"] == target] if images_of(inputs, target) else []
    chosen = pictures.spread(sorted(rows, key=_order_of), _PAIRS)
    source = _read_sides(inputs, ids.SOURCE, [(row["source_split"], row["source_id"]) for row in chosen], made)
    shown = _read_sides(inputs, target, [(row["target_split"], row["target_id"]) for row in chosen], made)
    found = []
    for row in chosen:
        pictured = source.get(row["source_id"]), shown.get(row["target_id"])
        if pictured[0] and pictured[1]:
            distance = row["distance"] if row["similarity"] is None else 1 - row["similarity"]
            kind = f"{_KINDS[row['reason']]}{', mirrored' if row['flipped'] else ''}"
            found.append(block.Pair(pictured[0], pictured[1], None if row["reason"] == "identical" else distance, kind))
    return found


def _read_sides(
    inputs: Inputs, side: str, wanted: Sequence[tuple[str, str]], made: Pictures
) -> dict[str, block.Picture]:
    """Returns id → thumbnail of the images (split, id) of a side."""
    places: dict[str, pictures.Place] = {}
    for split in dict.fromkeys(split for split, _ in wanted):
        of_split = [image_id for each, image_id in wanted if each == split]
        places |= pictures.locate(index_of(inputs, side), images_of(inputs, side), split, of_split)
    return made.read(places)


def _order_of(row: Mapping) -> tuple[int, float]:
    distance = row["distance"] if row["similarity"] is None else 1 - row["similarity"]
    return exclusions.REASONS.index(row["reason"]), distance or 0.0


def _exclusions_node(inputs: Inputs) -> str:
    """Returns the node with the exclusions of all stages that ran."""
    ran = [node for node in ids.EXCLUSIONS if inputs.uri(node, "exclusions")]
    return ran[-1] if ran else ids.EXCLUSIONS[0]


def _list_files(tables: Iterable[pa.Table], reason: str) -> list[tuple[str, str]]:
    """Returns (id, path) of the images that were set aside for a reason and were read from files of their own."""
    rows = [row for table in tables for row in table.to_pylist() if row["reason"] == reason and row["uri"]]
    return [(row["source_id"], row["uri"]) for row in rows]


def _list_tables(uri: str, pattern: str) -> list[str]:
    return sorted(tf.io.gfile.glob(os.path.join(uri, "Split-*", pattern)))
