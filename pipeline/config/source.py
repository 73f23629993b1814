"""The source: its data, or, for the label priors alone, only how many images of each label it has."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import pydantic

from components.artifacts import label_counts
from components.example_gen import text
from components.settings import PathText, StrictModel
from pipeline.config.classifier import Classifier, WeightsClassifier
from pipeline.config.data import Data
from pipeline.config.prior import Prior
from trainer.models.backbone import ImageConfig
from trainer.recipes import Recipe

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

    def read(self, labels: Sequence[str]) -> dict[str, int]:
        """Returns label → number of its images.

        Args:
          labels: those of the classifier, which `uniform` is about.

        Raises:
          ValueError: the file is not there, or has no such counts; the message names the line.
        """
        if self.counts == UNIFORM:
            return label_counts.count_alike(labels)
        content = text.read_text("source.counts", self.counts, advice="write it in UTF-8")
        return label_counts.loads(content, f"source.counts: {self.counts!r}")


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


def check_counts(
    counts: Counts, classifier: Classifier, image: ImageConfig | None, prior: Prior, *, near_duplicates: bool
) -> None:
    """Checks that a configuration asks for nothing that only the source's images could give.

    Args:
      counts: its source.
      classifier, image, prior: its sections of these names.
      near_duplicates: whether the near-duplicate filter is on.

    Raises:
      ValueError: it does, or the classifier lacks what `image` or the source's labels would say.
    """
    for what, is_asked, instead in (
        ("classifier: a recipe", isinstance(classifier, Recipe), "name a model or weights that are there"),
        (f"prior.estimator: {prior.estimator!r}", prior.estimator != "mean_prediction", "use mean_prediction"),
        ("prior.temperature: 'fitted'", prior.temperature == "fitted", "give a number, or leave it out"),
        ("near_duplicates.enabled: true", near_duplicates, "leave it out"),
    ):
        if is_asked:
            raise ValueError(f"{what} needs the images of the source, which source.counts does not give; {instead}")
    if isinstance(classifier, WeightsClassifier) and classifier.image is None and image is None:
        raise ValueError(
            f"image: missing, and {classifier.weights.path!r} does not say what images it takes; set image or "
            "classifier.image"
        )
    label_map = None if isinstance(classifier, Recipe) else classifier.label_map
    if label_map is not None and counts.counts == UNIFORM:
        raise ValueError(
            f"classifier.label_map: {label_map!r}, but with source.counts uniform the source has the classifier's own "
            "labels; leave it out, or give a file of counts"
        )
