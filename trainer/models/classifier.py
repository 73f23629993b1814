"""A backbone with a head."""

import math

import keras


def build(
    backbone: keras.Model, num_classes: int, *, dropout: float = 0.0, seed: int = 0, loss: str = "softmax"
) -> keras.Model:
    """Returns a model from images [batch, size, size, channels], 0..255, to {'logits', 'features'}.

    `logits` is float32 [batch, num_classes] whatever the precision of the rest; `features` are the backbone's. Over a
    backbone with an auxiliary output there are `auxiliary_logits` too, for the loss alone.

    For the `loss` 'sigmoid' the heads begin with odds of one to `num_classes` for every label (after Lin et al. 2017,
    arXiv 1708.02002, section 4.1). From even odds, the gradients of thousands of labels that an image does not have
    would wreck the backbone in the first steps.
    """
    bias = keras.initializers.Constant(-math.log(num_classes) if loss == "sigmoid" else 0.0)

    def head(name: str) -> keras.layers.Layer:
        return keras.layers.Dense(num_classes, bias_initializer=bias, dtype="float32", name=name)

    images = keras.Input(backbone.input_shape[1:], name="images")
    found = backbone(images)
    if not isinstance(found, dict):
        found = {"features": found}
    x = found["features"]
    if dropout:
        x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    outputs = {
        "logits": head("head")(x),
        "features": found["features"],
    }
    if "auxiliary" in found:
        outputs["auxiliary_logits"] = head("auxiliary_head")(found["auxiliary"])
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
