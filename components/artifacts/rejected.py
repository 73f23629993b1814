"""The rejected images: one row per image, with the reason. Pure.

The files lie beside the shards of a split: `Split-<name>/rejected-00000-of-00004.parquet`.
"""

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

FILE_PATTERN = "rejected-*.parquet"

SCHEMA = pa.schema(
    [
        ("source_id", pa.string()),
        ("uri", pa.string()),  # where it was read from; null: from a file with many images
        ("split", pa.string()),
        ("reason", pa.string()),  # one word, such as truncated; images are counted by it
        ("detail", pa.string()),
    ]
)
DUPLICATE_IMAGE = "duplicate_image"  # a reason that is not an error
CONFLICTING_LABELS = "conflicting_labels"
_MAX_DETAIL = 300  # characters
_MAX_EXAMPLES = 3  # examples of a reason in a message


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A rejected image; see SCHEMA."""

    source_id: str
    uri: str | None
    reason: str
    detail: str

    def row(self, split: str) -> dict[str, str | None]:
        """Returns the image's row of the table."""
        return {**dataclasses.asdict(self), "split": split, "detail": self.detail[:_MAX_DETAIL]}


def table(rows: Iterable[dict]) -> pa.Table:
    """Returns `rows` (dicts with the columns of SCHEMA) as a table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def count_reasons(tables: Iterable[pa.Table]) -> dict[str, int]:
    """Returns reason → number of images, the most frequent first."""
    found: collections.Counter[str] = collections.Counter()
    for part in tables:
        found.update(part["reason"].to_pylist())
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def check_share(
    reasons: Mapping[str, int], kept: int, max_rejected: float, tables: Sequence[pa.Table] | None = None
) -> None:
    """Checks that the share of rejected images is at most `max_rejected`. Duplicates of an image do not count.

    Args:
      reasons: reason → number of rejected images.
      kept: number of accepted images.
      max_rejected: share of all images, in [0, 1].
      tables: all rejected images, of which the message then gives examples.

    Raises:
      ValueError: the share is larger; the message gives the number of images by reason.
    """
    by_reason = {reason: count for reason, count in reasons.items() if reason != DUPLICATE_IMAGE}
    rejected = sum(by_reason.values())
    if rejected <= max_rejected * (kept + rejected):
        return
    examples = {reason: f" ({_list_examples(tables, reason)})" if tables else "" for reason in by_reason}
    lines = "; ".join(f"{count} {reason}{examples[reason]}" for reason, count in by_reason.items())
    raise ValueError(
        f"max_rejected: {rejected} of {kept + rejected} images cannot be taken, more than the share {max_rejected:g} "
        f"that is allowed: {lines}; repair or remove them, or raise max_rejected"
    )


def _list_examples(tables: Iterable[pa.Table], reason: str) -> str:
    shown: list[str] = []
    for part in tables:
        for row in part.to_pylist() if len(shown) < _MAX_EXAMPLES else ():
            if row["reason"] == reason and len(shown) < _MAX_EXAMPLES:
                shown.append(f"{row['source_id']}: {row['detail']}" if not shown else row["source_id"])
    return ", ".join(shown)
