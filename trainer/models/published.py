"""Classifiers whose head is published with the network, filled from a file."""

from typing import Any

import keras

from trainer.models import applications, classifier, weights
from trainer.models.backbone import Backbone, ImageConfig
from trainer.models.registry import SPECS, Application


def load_classifier(backbone: Backbone, image: ImageConfig, classes: int, path: str) -> keras.Model:
    """Returns a network with its own head: from images [batch, size, size, channels], 0..255, to logits and features.

    Its outputs are {'logits', 'features'}. A head of one dense layer on the features gives a model with the structure
    of `trainer.models.classifier.build`. Else there is no layer 'backbone', and the features are the input of the last
    layer that has weights.

    Args:
      backbone: the network.
      image: its input images.
      classes: number of classes of the head.
      path: a file with the weights of network and head, as `trainer.models.weights.load_backbone_weights` takes it.

    Raises:
      ValueError: there is no such file, it has the weights of another network, no head, or one over other classes.
    """
    application = SPECS[backbone.name].application if backbone.name else None
    with weights.open_weights(path, head=True) as file:
        if application and application.head == "own":
            own = applications.make_network(image, application, classes)
            if file.load(own):
                return _split(own, image, application)
        network = backbone.build(image)
        if head := file.lone_head(
            network.outputs[-1].shape[-1]
        ):  # newer presets of keras-hub have it in a file of its own
            _check_classes(head[1].size, classes, path)
            weights.load_backbone_weights(network, path)
            model = classifier.build(network, classes)
            model.get_layer("head").set_weights(head)
            return model
        inside = weights.network_of(network)
        found = file.classes_above(inside)
        if found is None:
            raise file.refusal(network)
        _check_classes(found, classes, path)
        model = classifier.build(network, classes)
        if file.load(model):
            return model
        convolution = application is not None and application.head == "convolution"
        for below, features in (
            (inside.input, inside.output),
            (network.input, network.output),
            (inside.input, inside(inside.input)),  # as the classifiers of keras-hub; how they pool has no weights
        ):
            if _load_head(below, features, model, file, convolution=convolution):
                return model
        raise file.refusal(network)


def _check_classes(found: int, classes: int, path: str) -> None:
    if not found:
        raise ValueError(
            f"weights: {path!r} has no head, only the network below it; give the file with the head: of "
            "keras.applications the one without 'notop' in its name, of keras-hub the preset of an ImageClassifier"
        )
    if found != classes:
        raise ValueError(
            f"weights: {path!r} has a head over {found:,} classes, but there are {classes:,} labels; give the "
            "labels of this head"
        )


def _load_head(inputs: Any, features: Any, model: keras.Model, file: weights.WeightsFile, *, convolution: bool) -> bool:
    """Fills `model`, a part of which is from `inputs` to `features`, from a file with the head right on this part."""
    if isinstance(features, dict):  # with an auxiliary head, which no published network has
        return False
    head = model.get_layer("head")
    last: keras.layers.Layer = keras.layers.Dense(head.units)
    if convolution:
        features = keras.layers.Reshape((1, 1, features.shape[-1]))(features)
        last = keras.layers.Conv2D(head.units, 1)
    if not file.load(keras.Model(inputs, last(features))):
        return False
    kernel, bias = last.get_weights()
    head.set_weights([kernel.reshape(head.kernel.shape), bias])
    return True


def _split(network: keras.Model, image: ImageConfig, application: Application) -> keras.Model:
    """Returns the classifier with features of a network that has a head of several layers."""
    last = [layer for layer in network.layers if layer.weights][-1]
    features = keras.layers.Flatten(name="features")(last.input)
    both = keras.Model(network.input, {"logits": network.output, "features": features}, name=network.name)
    images = keras.Input((image.size, image.size, image.channels), name="images")
    outputs = both(applications.preprocess(applications.to_rgb(images), application.preprocessing))
    return keras.Model(images, {name: outputs[name] for name in ("logits", "features")}, name="classifier")
