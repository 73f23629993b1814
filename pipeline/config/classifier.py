"""The source's classifier: a recipe by which it is trained, or one that exists already."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import pydantic

from components.artifacts import vocabulary
from components.importance_resampler.matchers.matcher import Matcher
from components.settings import PathText, StrictModel
from pipeline.config.arms import Arm
from pipeline.config.weights import Sha256, Weights
from trainer.model_import.settings import LabelledClassifier, PublishedClassifier, SavedClassifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.models.registry import SPECS
from trainer.recipes import Recipe

_WITH_FEATURES = "set classifier.features_key, or leave it out"
_EMBEDDINGS = frozenset({"source_predictions", "target_predictions"})


class ModelClassifier(SavedClassifier):
    """A classifier from elsewhere, with its graph. Nothing is trained for it.

    Attributes:
      source: where the model is from, such as a URL or the name of a paper. It is recorded with its hash. null: the
        record leaves it open.
      licence: what it may be used for, such as `Apache-2.0`. It is recorded. null: the record leaves it open.
      sha256: its hash, 64 hex digits; of a folder, that of the names and contents of its files. A run of another one
        stops. null: any will do; the record has its hash.
    """

    source: str | None = None
    licence: str | None = None
    sha256: Sha256 = None

    @property
    def file(self) -> Weights:
        """Where it is, and whose."""
        return Weights(path=self.model, source=self.source, licence=self.licence, sha256=self.sha256)

    def pin(self) -> "ModelClassifier":
        """Returns it with its hash, so that another one is refused; raises a ValueError if it is another one now."""
        try:
            return self.model_copy(update={"sha256": self.file.fingerprint()})
        except ValueError as error:
            raise ValueError(f"model: {error}") from error

    @property
    def lacks_features(self) -> bool:
        """Whether it surely tells no features: a SavedModel that is not this product's, and names no key of them."""
        own = os.path.join(self.model, "assets.extra", vocabulary.FILE_NAME)
        # What is on no disk, or not there, is looked at when the nodes are made.
        is_here = os.path.exists(self.model)
        return is_here and not (self.is_keras_file or self.features_key or os.path.exists(own))

    def import_settings(self, image: ImageConfig) -> dict[str, Any]:
        """Returns the settings of a ModelImporter; `image` is that of the run."""
        return self.model_dump(include=set(SavedClassifier.model_fields))


class WeightsClassifier(LabelledClassifier):
    """A published network with its own head, from a file of weights. Nothing is trained for it.

    Attributes:
      backbone: the network.
      weights: the weights, those of the head with them.
      image: the images that it takes. null: those of the run.
    """

    backbone: Backbone
    weights: Weights
    labels: PathText
    image: ImageConfig | None = None

    @property
    def file(self) -> Weights:
        """Where the weights are, and whose."""
        return self.weights

    def pin(self) -> "WeightsClassifier":
        """Returns it with their hash, so that others are refused; raises a ValueError if they are others now."""
        try:
            return self.model_copy(update={"weights": self.weights.pin()})
        except ValueError as error:
            raise ValueError(f"weights: {error}") from error

    def import_settings(self, image: ImageConfig) -> dict[str, Any]:
        """Returns the settings of a ModelImporter; `image` is that of the run."""
        settings = self.model_dump(include=set(PublishedClassifier.model_fields))
        return {**settings, "weights": self.weights.path, "image": (self.image or image).model_dump()}

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "WeightsClassifier":
        if self.image is not None:
            self.backbone.check(self.image)
        return self


ImportedClassifier = ModelClassifier | WeightsClassifier
_TAGS = {"model": "[model]", "weights": "[weights]", "backbone": "[weights]"}
_FORMS = {Recipe: "[recipe]", ModelClassifier: "[model]", WeightsClassifier: "[weights]"}


def _find_form(value: Any) -> str:
    if isinstance(value, StrictModel):
        return _FORMS.get(type(value), "[recipe]")
    return next((tag for key, tag in _TAGS.items() if isinstance(value, dict) and key in value), "[recipe]")


def _check_form(value: Any) -> Any:
    # Before the union is validated, because its errors name the classes instead of the keys.
    if isinstance(value, dict) and "model" in value and (other := {"backbone", "weights"} & value.keys()):
        raise ValueError(
            f"has model and {min(other)}; a classifier is either a model with its graph, or weights: leave one out"
        )
    if isinstance(value, dict) and _find_form(value) != "[recipe]" and "preset" in value:
        key = next(key for key in _TAGS if key in value)
        raise ValueError(f"has {key} and preset; a classifier that exists already is not trained: leave one out")
    return value


if TYPE_CHECKING:
    Classifier = Recipe | ImportedClassifier
else:
    Classifier = Annotated[
        Annotated[Recipe, pydantic.Tag("[recipe]")]
        | Annotated[ModelClassifier, pydantic.Tag("[model]")]
        | Annotated[WeightsClassifier, pydantic.Tag("[weights]")],
        pydantic.Discriminator(_find_form),
        pydantic.BeforeValidator(_check_form),
    ]


def find_refusal(classifier: Classifier, arm: Arm, backbone: Backbone, image: ImageConfig) -> str | None:
    """Returns why an arm cannot be had with a classifier; None: it can.

    Args:
      classifier: any; with one that is trained, every arm can be had.
      arm: the arm.
      backbone, image: the network and the images of the run.
    """
    if isinstance(classifier, Recipe):
        return None
    if arm.steps == "total":
        return (
            "steps: 'total' counts those of the classifier, which exists already; give a number, or a multiple such as "
            "2x"
        )
    lacks_features = isinstance(classifier, ModelClassifier) and classifier.lacks_features
    if lacks_features and _needs_embeddings(arm.kind):
        return f"matcher: {arm.matcher!r}, but classifier.model gives no features; {_WITH_FEATURES}"
    if arm.start != "classifier":
        return None
    if isinstance(classifier, WeightsClassifier):
        return _find_difference(classifier, backbone, image)
    if classifier.is_keras_file:
        return None
    return (
        f"start: 'classifier', but classifier.model {classifier.model!r} is a SavedModel, which has no network to "
        "train; name a .keras file, or leave the arm out"
    )


def _find_difference(classifier: WeightsClassifier, backbone: Backbone, image: ImageConfig) -> str | None:
    """Returns why trainings of a run cannot start from a published network; None: they can."""
    own_image = classifier.image or image
    pairs = {
        "backbone": [each.model_dump(include=set(Backbone.model_fields)) for each in (classifier.backbone, backbone)],
        "image": [{key: getattr(each, key) for key in ("size", "channels")} for each in (own_image, image)],
    }
    for key, (own, of_run) in pairs.items():
        if own != of_run:
            return (
                f"start: 'classifier', but classifier.{key} {own} is not {key} {of_run}; give both the same, or leave "
                "the arm out"
            )
    application = SPECS[classifier.backbone.name].application if classifier.backbone.name else None
    if application is not None and application.head == "own":
        return (
            f"start: 'classifier', but the published head of {classifier.backbone.name} has layers of its own, without "
            "which there is no backbone; name its weights in backbone.weights and set start to published"
        )
    return None


def check_classifier(classifier: Classifier, image: ImageConfig | None, embeddings: float | None) -> None:
    """Checks that a classifier goes with the rest of a configuration.

    Args:
      classifier: any.
      image: the images of the run, if it has some.
      embeddings: the setting of `near_duplicates`.

    Raises:
      ValueError: it gives no features to compare, or cannot take the images of the run.
    """
    if isinstance(classifier, ModelClassifier) and classifier.lacks_features and embeddings is not None:
        raise ValueError(
            f"near_duplicates.embeddings: {embeddings}, but classifier.model {classifier.model!r} gives no features; "
            f"{_WITH_FEATURES}"
        )
    if isinstance(classifier, WeightsClassifier) and classifier.image is None and image is not None:
        try:
            classifier.backbone.check(image)
        except ValueError as error:
            raise ValueError(
                f"classifier.backbone, with the run's image, as there is no classifier.image: {error}"
            ) from error


def _needs_embeddings(matcher: type[Matcher] | None) -> bool:
    """Returns whether a matcher compares embeddings of the classifier; None: it draws nothing."""
    return matcher is not None and not _EMBEDDINGS.isdisjoint(matcher.needs)
