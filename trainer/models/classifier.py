"""A backbone with a head."""

import keras


def build(backbone: keras.Model, num_classes: int, *, dropout: float = 0.0, seed: int = 0) -> keras.Model:
    """Returns a model from images [batch, size, size, channels], 0..255, to {'logits', 'features'}.

    `logits` is float32 [batch, num_classes] whatever the precision of the rest; `features` are the backbone's. Over a
    backbone with an auxiliary output there are `auxiliary_logits` too, for the loss alone.
    """
    images = keras.Input(backbone.input_shape[1:], name="images")
    found = backbone(images)
    if not isinstance(found, dict):
        found = {"features": found}
    x = found["features"]
    if dropout:
        x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    outputs = {
        "logits": keras.layers.Dense(num_classes, dtype="float32", name="head")(x),
        "features": found["features"],
    }
    if "auxiliary" in found:
        head = keras.layers.Dense(num_classes, dtype="float32", name="auxiliary_head")
        outputs["auxiliary_logits"] = head(found["auxiliary"])
    return keras.Model(images, outputs, name="classifier")


def backbone_of(model: keras.Model) -> keras.Model:
    """Returns the backbone inside a model that `build` made.

    Raises:
      ValueError: there is none.
    """
    for layer in model.layers:
        if layer.name == "backbone":
            return layer
    raise ValueError(f"model: {model.name!r} has no layer named 'backbone'; it was not made by this trainer")
