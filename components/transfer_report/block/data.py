"""What is said of data sets: how many images, and what was set aside. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence

from components.transfer_report.block.part import Part


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
      excluded: split → images excluded as near-duplicates of a target's; empty: they were not looked for.
      set_aside: what could not be used, by reason.
      findings: what is suspicious in the data, in words.
    """

    images: Mapping[str, int]
    labels: int
    excluded: Mapping[str, int] = dataclasses.field(default_factory=dict)
    set_aside: Sequence[SetAside] = ()
    findings: Sequence[str] = ()


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
