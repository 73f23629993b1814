"""Images that the data have several times, byte for byte: what becomes of their labels. Pure.

Where an image may have several labels, those of equal images of a split are merged. Where it may have one, equal images
with different labels contradict each other, and none of them is taken.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.artifacts.rejected import CONFLICTING_LABELS, DUPLICATE_IMAGE, Rejection

# Of each image that was read, columns of the index.
ENTRIES = pa.schema(
    [
        ("content_hash", pa.string()),
        ("split", pa.string()),
        ("source_id", pa.string()),
        ("labels", pa.list_(pa.int32())),
    ]
)
# What becomes of an image; of one that is taken as it is, nothing is said.
DECISIONS = pa.schema(
    [
        ("content_hash", pa.string()),
        ("split", pa.string()),
        ("source_id", pa.string()),
        ("labels", pa.list_(pa.int32())),  # that it gets; null: it is rejected
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)
_ORDER = [("content_hash", "ascending"), ("split", "ascending"), ("source_id", "ascending")]
_SHOWN = 3  # labels in a detail


def key_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Returns what an entry, a decision and a row of the index of the same image have in common."""
    return row["split"], row["source_id"], row["content_hash"]


def decide(entries: pa.Table, names: Sequence[str], several_labels: bool) -> Iterator[dict[str, Any]]:
    """Yields rows of DECISIONS, in an order that the order of `entries` does not change.

    Args:
      entries: of all images, with ENTRIES; of a content all or none.
      names: of the labels.
      several_labels: whether an image may have several.
    """
    if not len(entries):
        return
    contents = entries["content_hash"].combine_chunks().dictionary_encode().indices.to_numpy()
    repeated = entries.filter(pa.array(np.bincount(contents)[contents] > 1))
    repeated = repeated.take(pc.sort_indices(repeated, sort_keys=_ORDER))
    rows = (row for batch in repeated.to_batches(max_chunksize=1 << 16) for row in batch.to_pylist())
    for _, group in itertools.groupby(rows, key=lambda row: row["content_hash"]):
        images = list(group)
        if several_labels:
            for _, of_split in itertools.groupby(images, key=lambda row: row["split"]):
                yield from _merge(list(of_split))
        elif _differ(images):
            yield from _refuse(images, names)


def choose_contents(decisions: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Returns (split, id) → content hash of the image that gets the labels of others.

    If several images of the split have the id, this one stays: those that have left it their labels are gone.
    """
    merged = sorted((row["content_hash"], row["split"], row["source_id"]) for row in decisions if not row["reason"])
    return {(split, source_id): content_hash for content_hash, split, source_id in reversed(merged)}


class Selection:
    """Which examples of a split, or of a shard of it, are taken; they are asked for in the order of their keys.

    Of several with an id the first is taken, or the one that gets the labels of equal images.

    Args:
      decisions: rows of DECISIONS.
    """

    def __init__(self, decisions: Iterable[Mapping[str, Any]]):
        self._decisions = {key_of(decision): decision for decision in decisions}
        self._chosen = choose_contents(self._decisions.values())
        self._kept: dict[str, str] = {}  # id → content hash: those with the same key, of which ids alone decide
        self._last_key: int | None = None

    def reject(self, key: int, split: str, source_id: str, content_hash: str) -> dict[str, Any] | None:
        """Returns the rejection of the next example as a row of the table of rejections; None: it is taken.

        Args:
          key: of its row in the index, like the rest.
        """
        if key != self._last_key:
            self._kept.clear()
            self._last_key = key
        decision = self._decisions.get((split, source_id, content_hash))
        if decision and decision["reason"]:
            return Rejection(source_id, None, decision["reason"], decision["detail"]).row(split)
        first = self._kept.get(source_id)
        other = self._chosen.get((split, source_id), content_hash) if first is None else first
        if first is None and other == content_hash:
            self._kept[source_id] = content_hash
            return None
        # The same image again, as where the content is the id, is left out without being a fault of the data.
        same = other == content_hash
        reason = DUPLICATE_IMAGE if same else "duplicate_id"
        detail = f"another image of this split has the same id{' and content' if same else ''}"
        return Rejection(source_id, None, reason, detail).row(split)

    def new_labels(self, split: str, source_id: str, content_hash: str) -> list[int] | None:
        """Returns the labels that an example that is taken gets; None: it keeps its own."""
        decision = self._decisions.get((split, source_id, content_hash))
        return decision["labels"] if decision else None


def _differ(images: Sequence[Mapping]) -> bool:
    return len({frozenset(image["labels"]) for image in images}) > 1


def _merge(images: Sequence[Mapping]) -> Iterator[dict[str, Any]]:
    """Gives the first of the equal `images` of a split, in the order of their ids, the labels of all."""
    if not _differ(images):
        return
    first, *others = {key_of(image): image for image in images}.values()
    labels = sorted({label for image in images for label in image["labels"]})
    yield {**first, "labels": labels, "reason": None, "detail": None}
    for other in others:
        detail = f"{first['source_id']} is the same image, and has its labels too"
        yield {**other, "labels": None, "reason": DUPLICATE_IMAGE, "detail": detail}


def _refuse(images: Sequence[Mapping], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    labelled: dict[str, str] = {}
    for image in images:
        labelled.setdefault(" and ".join(repr(names[label]) for label in sorted(image["labels"])), image["source_id"])
    has_ids = len({image["source_id"] for image in images}) > 1  # else the content is the id
    texts = [f"{label} ({source_id})" if has_ids else label for label, source_id in sorted(labelled.items())]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    detail = f"the same image has the labels {', '.join(texts[:_SHOWN])}{more}; set several_labels to true if it may"
    for image in {key_of(image): image for image in images}.values():
        yield {**image, "labels": None, "reason": CONFLICTING_LABELS, "detail": detail}
