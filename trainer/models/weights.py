"""Published weights of backbones."""

import keras


def load_backbone_weights(backbone: keras.Model, path: str) -> None:
    """Fills `backbone` with the weights of a file that was saved of it.

    Raises:
      ValueError: the file does not fit.
    """
    backbone.load_weights(path)
