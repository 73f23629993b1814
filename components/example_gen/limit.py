"""Whether too much is rejected, while the data are still read. Pure."""

import dataclasses
from collections.abc import Mapping

from components.artifacts.rejected import DUPLICATE_IMAGE

_NOT_IN_CACHE_KEYS = "it decides when an ingestion stops"
# Fewer are read to their end in seconds, and then the message names everything that is wrong.
LEAST_IMAGES = 2000
_PATIENCE = 2.0  # where the number of images is estimated, as many times the limit are let pass for now


@dataclasses.dataclass
class Counts:
    """What was read.

    Attributes:
      weight: of the parts that it was read from, see `Part.weight`.
      examples: that are kept, of all our splits.
      rejections: reason → their number.
      shown: reason → the first rejection, as text.
    """

    weight: float = 0.0
    examples: int = 0
    rejections: dict[str, int] = dataclasses.field(default_factory=dict)
    shown: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def faults(self) -> dict[str, int]:
        """The rejections that count, the most frequent first."""
        most_first = sorted(self.rejections.items(), key=lambda pair: (-pair[1], pair[0]))
        return {reason: count for reason, count in most_first if reason != DUPLICATE_IMAGE}

    def add_rejection(self, row: Mapping[str, str]) -> None:
        """Counts a row of the table of rejections."""
        self.rejections[row["reason"]] = self.rejections.get(row["reason"], 0) + 1
        self.shown.setdefault(row["reason"], f"{row['source_id']}: {row['detail']}")

    def __add__(self, other: "Counts") -> "Counts":
        both = {**self.rejections, **other.rejections}
        rejections = {reason: self.rejections.get(reason, 0) + other.rejections.get(reason, 0) for reason in both}
        shown = {**other.shown, **self.shown}
        return Counts(self.weight + other.weight, self.examples + other.examples, rejections, shown)


@dataclasses.dataclass(frozen=True)
class Limit:
    """How much may be rejected.

    Attributes:
      max_rejected: share of all images; None: all of them.
      images: how many there are, of all our splits; None: only `weight` is known.
      weight: of all parts.
    """

    max_rejected: float | None
    images: int | None
    weight: float

    def check(self, counts: Counts) -> None:
        """Refuses what is more than all of the data may have already.

        Args:
          counts: of what was read so far: of whole parts, where the number of images is not known.

        Raises:
          ValueError: it is.
        """
        found = sum(counts.faults.values())
        read = counts.examples + found
        if self.max_rejected is None or not found or read < LEAST_IMAGES:
            return
        images = self.images or read * self.weight / max(counts.weight, 1)
        if found <= self.max_rejected * max(images, read) * (1 if self.images else _PATIENCE):
            return
        told = "; ".join(f"{count:,} {reason} ({counts.shown[reason]})" for reason, count in counts.faults.items())
        raise ValueError(
            f"max_rejected: {found:,} of the {read:,} images read so far cannot be taken, more than the share "
            f"{self.max_rejected:g} that is allowed of all {images:,.0f}: {told}; repair or remove them, or raise "
            "max_rejected"
        )
