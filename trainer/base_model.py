"""The model that a training starts from, as `trainer.serving` wrote it."""

import os

import keras
import numpy as np
from tfx.utils import path_utils

from components.artifacts import model_labels, vocabulary
from trainer import serving
from trainer.models import classifier, saved
from trainer.models.backbone import Backbone, ImageConfig

_HEADS = ("head", "auxiliary_head")


class Pretrained:
    """The network of the Model artifact in the folder `model_dir`, with its labels."""

    def __init__(self, model_dir: str):
        self._network = saved.load(os.path.join(model_dir, serving.KERAS_FILE))
        self._labels = model_labels.read(path_utils.serving_model_path(model_dir))

    def backbone_for(self, image: ImageConfig) -> keras.Model:
        """Returns the backbone.

        Raises:
          ValueError: it takes other images, or the network has none.
        """
        backbone = classifier.backbone_of(self._network)
        found, expected = tuple(backbone.input_shape[1:]), (image.size, image.size, image.channels)
        if found != expected:
            raise ValueError(
                f"image: {expected} (height, width, channels), but the base model takes {found}; set image.size and "
                "image.channels to the base model's"
            )
        return backbone

    def copy_backbone(self, backbone: keras.Model, settings: Backbone) -> None:
        """Copies the weights of the backbone to `backbone`, which was built by `settings`.

        Raises:
          ValueError: it is another one.
        """
        weights, own = classifier.backbone_of(self._network).get_weights(), backbone.get_weights()
        if [values.shape for values in weights] != [values.shape for values in own]:
            raise ValueError(
                f"backbone: {settings.label} {settings.options} has {_describe(own)}, but the base model's has "
                f"{_describe(weights)}; name the base model's backbone, or leave `backbone` out"
            )
        backbone.set_weights(weights)

    def copy_heads(self, model: keras.Model, names: tuple[str, ...]) -> None:
        """Copies the weights of the heads to those of `model`, which has the same backbone.

        Args:
          model: a model that `trainer.models.classifier.build` made.
          names: the labels of its outputs. The base model's may be in another order.

        Raises:
          ValueError: the base model has other labels.
        """
        order = self._order_of(names)
        for layer in model.layers:
            if layer.name in _HEADS:
                layer.set_weights([values[..., order] for values in self._network.get_layer(layer.name).get_weights()])

    def _order_of(self, names: tuple[str, ...]) -> np.ndarray:
        """Returns the position of each of `names` in the outputs."""
        classes = self._network.get_layer(_HEADS[0]).units
        if classes != len(names):
            raise ValueError(
                f"base_model: has {classes} classes, but the vocabulary {len(names)} labels; give a model that was "
                "trained on the same source, or train anew without base_model"
            )
        if self._labels is None:  # a model of an earlier version
            return np.arange(classes)
        return vocabulary.positions(names, self._labels, "base_model")


def _describe(weights: list[np.ndarray]) -> str:
    return f"{sum(values.size for values in weights):,} numbers in {len(weights)} weights"
