"""What a model from elsewhere is, and what it takes and gives. Pure: nothing is opened.

A classifier is either a file or folder that has its whole graph, or a published network by its name, whose weights are
in a file.
"""

from typing import Any, Literal, TypeAlias

import pydantic

from components.settings import PathText, StrictModel
from trainer.models.backbone import Backbone, ImageConfig

KERAS_SUFFIX = ".keras"
PIXELS = (0.0, 255.0)  # what this product's own networks take


class ModelInput(ImageConfig):
    """The images that a model takes.

    Attributes:
      range: the values that it takes for black and white, such as [0, 255], [0, 1] or [-1, 1].
    """

    range: list[float] = pydantic.Field(min_length=2, max_length=2)

    @pydantic.field_validator("range")
    @classmethod
    def _check_range(cls, value: list[float]) -> list[float]:
        if not value[0] < value[1]:
            raise ValueError("the value of black has to be below that of white, as in [-1, 1]")
        return value


class LabelledClassifier(StrictModel):
    """What every classifier from elsewhere has.

    Attributes:
      labels: file with the names of its outputs, in their order: a name a line, a `labels.csv` as this product writes
        it, or Keras' `imagenet_class_index.json`, whose WordNet ids and names both match. null: those in the model,
        which a SavedModel of this product has.
      label_map: CSV with the columns `label` and `source`: which label of the source a label of the classifier stands
        for. Several may stand for the same; an empty `source` is none. null, and for labels that it does not name:
        labels of the same name.
      loss: what its outputs were trained by. `softmax`: its labels exclude each other. `sigmoid`: they do not.
    """

    labels: PathText | None = None
    label_map: PathText | None = None
    loss: Literal["softmax", "sigmoid"] = "softmax"

    @property
    def activation(self) -> Literal["softmax", "sigmoid"]:
        """What makes the model's logits the probabilities that the loss is about."""
        return self.loss


class SavedClassifier(LabelledClassifier):
    """A classifier with its graph.

    Attributes:
      model: folder of a SavedModel, or path of a .keras file.
      input: the images that it takes. null: the model says so, as those of this product do.
      output: what its outputs are: `logits`, or `probabilities` behind a softmax or sigmoid.
      signature: the signature of a SavedModel that takes a batch of images. null: `serving_default`, or the model
        itself if it has none.
      output_key: which output of a SavedModel has a number for each label. null: the only one that can.
      features_key: which output of a SavedModel has the features, the input of its last layer. null: none has, so that
        nothing that compares embeddings can be had.
    """

    model: PathText
    input: ModelInput | None = None
    output: Literal["logits", "probabilities"] = "logits"
    signature: str | None = None
    output_key: str | None = None
    features_key: str | None = None

    @property
    def is_keras_file(self) -> bool:
        """Whether it is a .keras file and no SavedModel."""
        return self.model.endswith(KERAS_SUFFIX)

    @pydantic.model_validator(mode="after")
    def _check_consistency(self) -> "SavedClassifier":
        if self.is_keras_file:
            for key in ("signature", "output_key", "features_key"):
                if (value := getattr(self, key)) is not None:
                    raise ValueError(f"{key}: {value!r} is for a SavedModel, and {self.model!r} is none; leave it out")
            if self.labels is None:
                raise ValueError(f"labels: missing, and {self.model!r} has none in it; name a file with a label a line")
        return self


class PublishedClassifier(LabelledClassifier):
    """A published network with its own head, which needs `labels`.

    Attributes:
      backbone: the network.
      weights: path of its weights.
      image: the images that it takes.
    """

    backbone: Backbone
    weights: PathText
    image: ImageConfig
    labels: PathText


class PublishedBackbone(StrictModel):
    """A published network without its head.

    Attributes:
      backbone: the network.
      weights: path of its weights.
      image: the images that it takes.
    """

    backbone: Backbone
    weights: PathText
    image: ImageConfig


Settings: TypeAlias = SavedClassifier | PublishedClassifier | PublishedBackbone


def path_of(settings: SavedClassifier | PublishedClassifier) -> str:
    """Returns the path of the model, or of its weights."""
    return settings.model if isinstance(settings, SavedClassifier) else settings.weights


def parse(kind: str, settings: dict[str, Any]) -> Settings:
    """Returns the settings of a ModelImporter.

    Args:
      kind: 'classifier' or 'backbone'.
      settings: keys and values of `SavedClassifier` (with `model`) or `PublishedClassifier`; or of `PublishedBackbone`.

    Raises:
      ValueError: the kind is unknown, or a setting is missing, unknown or wrong.
    """
    if kind not in ("classifier", "backbone"):
        raise ValueError(f"kind: {kind!r}; choose 'classifier' or 'backbone'")
    model: type[Settings] = PublishedBackbone
    if kind == "classifier":
        model = SavedClassifier if "model" in settings else PublishedClassifier
    return model.model_validate(settings)
