"""The source: its data, or, for the label priors alone, only how many images of each label it has."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import pydantic

from components.artifacts import label_counts
from components.example_gen import text
from components.settings import PathText, StrictModel
from pipeline.config.data import Data

UNIFORM = "uniform"
# What a configuration may leave out with counts: it speaks of trainings, for which they give no images.
NEEDED = ("image", "backbone", "pretrain", "finetune", "resample")

T = TypeVar("T")

if TYPE_CHECKING:
    Needed: TypeAlias = Annotated[T, "may be missing with counts only"]
else:
    Needed = Annotated[T | None, pydantic.Field(default=None)]


class Counts(StrictModel):
    """A source whose images are not at hand, for `specialist run --until prior`. The classifier is from elsewhere.

    Attributes:
      counts: how many images of each label the source has: a CSV file with the header `label,count`; or `uniform`, as
        many of each label of the classifier. A label with 0 images is one that the source lacks.
    """

    counts: PathText

    @property
    def location(self) -> str:
        """The path of the counts, or 'uniform'."""
        return self.counts

    def read(self, read_labels: Callable[[], Sequence[str]]) -> dict[str, int]:
        """Returns label → number of its images.

        Args:
          read_labels: returns the labels of the classifier.

        Raises:
          ValueError: the file is not there, or has no such counts; the message names the line.
        """
        if self.counts == UNIFORM:
            return label_counts.count_alike(read_labels())
        return label_counts.loads(text.read_text("source.counts", self.counts), f"source.counts: {self.counts!r}")


def _tag(value: Any) -> str:
    if isinstance(value, Counts) or (isinstance(value, dict) and "counts" in value):
        return "[counts]"
    return "[data]"


if TYPE_CHECKING:
    Source: TypeAlias = Data | Counts
else:
    Source = Annotated[
        Annotated[Data, pydantic.Tag("[data]")] | Annotated[Counts, pydantic.Tag("[counts]")],
        pydantic.Discriminator(_tag),
    ]


def leave_out_duplicates(content: Any) -> Any:
    """Returns the content of a configuration; with counts the near-duplicate filter is off, unless it is asked for."""
    if not (isinstance(content, dict) and _tag(content.get("source")) == "[counts]"):
        return content
    said = content.get("near_duplicates", {})
    return {**content, "near_duplicates": {"enabled": False, **said}} if isinstance(said, dict) else content
