"""A backbone with a head."""

import keras


def build(backbone: keras.Model, num_classes: int, *, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """Returns a model from images [batch, size, size, channels], 0..255, to {'logits', 'features'}.

    `logits` is float32 [batch, num_classes] whatever the precision of the rest; `features` are the backbone's.
    """
    images = keras.Input(backbone.input_shape[1:], name="images")
    features = backbone(images)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(features) if dropout else features
    logits = keras.layers.Dense(num_classes, dtype="float32", name="head")(x)
    return keras.Model(images, {"logits": logits, "features": features}, name="classifier")


def backbone_of(model: keras.Model) -> keras.Model:
    """Returns the backbone inside a model that `build` made.

    Raises:
      ValueError: there is none.
    """
    for layer in model.layers:
        if layer.name == "backbone":
            return layer
    raise ValueError(f"model: {model.name!r} has no layer named 'backbone'; it was not made by this trainer")
