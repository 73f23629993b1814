"""What a reader is: labelled images of one kind of data, in parts that workers read.

Modules of readers import Beam, TensorFlow and TFDS inside functions: loading a configuration imports all of them.
"""

import abc
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
import pydantic

from components.artifacts.findings import Finding
from components.artifacts.rejected import Rejection
from components.artifacts.vocabulary import Vocabulary
from components.example_gen import splits
from components.settings import StrictModel

PART_BYTES = 64 << 20  # of images that a worker reads at once, at least

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class LabelledImage:
    """What a reader yields.

    Attributes:
      image: the encoded image, as read.
      labels: indices into the vocabulary, at least one.
      source_id: the data set's own key, or None: a hash of the image then stands for it.
      uri: the file it was read from, or None if that holds other images too.
    """

    image: bytes
    labels: tuple[int, ...]
    source_id: str | None = None
    uri: str | None = None


class Part(abc.ABC):
    """A run of images that one worker reads; small enough to be sent to it."""

    @property
    @abc.abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Our splits that its images may belong to."""

    @property
    @abc.abstractmethod
    def weight(self) -> float:
        """How much of the images of these splits it has, next to other parts."""

    @abc.abstractmethod
    def splits_of(self, content_hash: str) -> list[str]:
        """Returns which of our splits an image of this part belongs to, by the hash of its content as read."""


@dataclasses.dataclass(frozen=True)
class FilePart(Part):
    """What stands in a file, whose images the rules of the splits deal out.

    Attributes:
      path: of the file.
      own: the data's own split that all of its images belong to, or None.
      rules: our split → what goes into it.
      size: number of its images, or of its bytes, if that is not known.
    """

    path: str
    own: str | None
    rules: dict[str, splits.Rule]
    size: int

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(split for split, rule in self.rules.items() if rule.own == self.own)

    @property
    def weight(self) -> float:
        return self.size

    def splits_of(self, content_hash: str) -> list[str]:
        return splits.matching_splits(self.rules, self.own, content_hash)


@dataclasses.dataclass(frozen=True)
class Contents:
    """What there is to read.

    Attributes:
      vocabulary: the label names, in the order of their indices, and their parents.
      sizes: our split → bytes, roughly.
      parts: what the workers share.
      examples: our split → images, roughly; None: only their number of bytes is known.
      label_counts: our split → images of each label, int64 [labels]; float64, as is to be expected, of a split by
        hashes. None: only reading them tells.
      findings: what is suspicious.
    """

    vocabulary: Vocabulary
    sizes: dict[str, int]
    parts: Sequence[Part]
    examples: dict[str, int] | None = None
    label_counts: dict[str, np.ndarray] | None = None
    findings: Sequence[Finding] = ()


def _name_or_share(value: Any) -> str | float:
    # Before the union is tried, whose own errors name its members and not the key.
    if not isinstance(value, str) and not (isinstance(value, float) and 0 < value <= 1):
        raise ValueError("must be a name, such as train or train[:90%], or a share, such as 0.8")
    return value


P = TypeVar("P", bound=Part)
_Share = Annotated[float, pydantic.Field(gt=0, le=1)]
Splits = dict[splits.Split, Annotated[str | _Share, pydantic.BeforeValidator(_name_or_share)]]


class Reader(StrictModel, abc.ABC, Generic[P]):
    """A data set: the fields of a subclass are the keys of a configuration, its methods read the images.

    `Reader[MyPart]` is one whose `open` returns parts of that class.

    Readers are sent to workers and written as JSON: their fields are plain values, or `Strict` models of such. Methods
    raise ValueErrors that name the key of the configuration, its value, and the way out.

    Attributes:
      splits: what goes into `train`, `eval` and, optionally, `test`: a split of the data (`train`), a part of one by
        the hash of each image (`train[:90%]`), or a share of all images by that hash (0.8).
      several_labels: whether an image may have several labels. The labels of equal images are then merged; else equal
        images with different labels are rejected.
    """

    splits: Splits = pydantic.Field(json_schema_extra={"required": ["train", "eval"]})
    several_labels: bool = False

    @pydantic.field_validator("splits")
    @classmethod
    def _needed(cls, value: Splits) -> Splits:
        missing = {"train", "eval"} - set(value)
        if missing:
            raise ValueError(f"lacks {' and '.join(sorted(missing))}; train and eval are needed, test is optional")
        return value

    @pydantic.model_validator(mode="after")
    def _checked(self) -> "Reader":
        self.check_fields()
        return self

    def check_fields(self) -> None:
        """Raises a ValueError if the fields do not go together; nothing is opened to see it."""
        splits.parse_rules(self.splits)

    def is_prepared(self) -> bool:
        """Returns whether `prepare` has nothing to do."""
        return True

    def prepare(self) -> bool:
        """Makes what has to be made before anything can be read; returns whether there was anything."""
        return False

    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Returns 16 hex digits that change when the data do; looks at names, sizes and times, not into images."""

    def is_labelled(self) -> bool:
        """Returns whether its images have labels, and splits to train and to evaluate on."""
        return True

    def allows_several_labels(self) -> bool:
        """Returns whether an image may have more than one label."""
        return self.several_labels

    @abc.abstractmethod
    def read_vocabulary(self) -> Vocabulary:
        """Returns the label names and their parents, as `open` does; where the data do not tell, all are listed."""

    @abc.abstractmethod
    def open(self, work: str) -> Contents:
        """Returns what there is to read.

        Args:
          work: a folder for lists that are too long to be sent to workers; it goes when all parts are read.
        """

    @abc.abstractmethod
    def read(self, part: P) -> Iterator[LabelledImage | Rejection]:
        """Yields the images of `part` as they are, and what could not be read."""

    def sample(self, part: P, count: int) -> Iterator[LabelledImage | Rejection]:
        """Yields `count` images of `part`, or all if there are fewer, without reading much more than those."""
        return itertools.islice(self.read(part), count)


def part_bytes(total: int) -> int:
    """Returns how many bytes a part should have: more of larger data, whose parts would be too many."""
    return min(max(total // 512, PART_BYTES), 2 * PART_BYTES)


def spread_evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Returns at most `most` of `items`, evenly spaced from the first to the last."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(most, len(items)), dtype=int)]
