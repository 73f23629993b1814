"""Classifiers: a backbone with a head."""

import math

import keras


def build(
    backbone: keras.Model, num_classes: int, *, dropout: float = 0.0, seed: int = 0, activation: str = "softmax"
) -> keras.Model:
    """Returns a model from images [batch, size, size, channels], 0..255, to {'logits', 'features'}.

    `logits` is float32 [batch, num_classes] whatever the precision of the other layers; `features` is the backbone's
    output. A backbone with an auxiliary output adds `auxiliary_logits`, used only by the loss.

    For the `activation` 'sigmoid' the bias of the heads starts at odds of 1 : `num_classes` for every label (after Lin
    et al. 2017, arXiv 1708.02002, section 4.1). From even odds, the gradients of the thousands of labels that an image
    does not have would destroy the backbone in the first steps.
    """
    bias = keras.initializers.Constant(-math.log(num_classes) if activation == "sigmoid" else 0.0)

    def make_head(name: str) -> keras.layers.Layer:
        return keras.layers.Dense(num_classes, bias_initializer=bias, dtype="float32", name=name)

    images = keras.Input(backbone.input_shape[1:], name="images")
    backbone_outputs = backbone(images)
    if not isinstance(backbone_outputs, dict):
        backbone_outputs = {"features": backbone_outputs}
    x = backbone_outputs["features"]
    if dropout:
        x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    outputs = {"logits": make_head("head")(x), "features": backbone_outputs["features"]}
    if "auxiliary" in backbone_outputs:
        outputs["auxiliary_logits"] = make_head("auxiliary_head")(backbone_outputs["auxiliary"])
    return keras.Model(images, outputs, name="classifier")


def backbone_of(model: keras.Model) -> keras.Model:
    """Returns the backbone inside a model that `build` made.

    Raises:
      ValueError: the model has no backbone.
    """
    for layer in model.layers:
        if layer.name == "backbone":
            return layer
    raise ValueError(f"model: {model.name!r} has no layer named 'backbone'; use a model that this trainer wrote")
