"""Published networks with their own heads."""

import keras

from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig


def load_classifier(backbone: Backbone, image: ImageConfig, classes: int, path: str) -> keras.Model:
    """Returns the network with its own head, whose weights are in the file at `path`."""
    model = classifier.build(backbone.build(image), classes)
    try:
        model.load_weights(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"weights: {path!r} does not fit: {error}") from error
    return model
