"""Classifiers whose head is published with the network, filled from a file."""

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
    with weights.open_weights(path) as file:
        if application and application.head == "own":
            return _with_own_head(application, image, classes, file)
        network = backbone.build(image)
        model = classifier.build(network, classes)
        inside = weights.network_of(network)
        found = file.classes_above(inside)
        if found is None:
            raise file.refusal(network)
        _check_classes(found, classes, path)
        if file.load(model):
            return model
        for around in (inside, network):
            convolution = around is inside and application is not None and application.head == "convolution"
            if _load_head(around, model, file, convolution=convolution):
                return model
        raise file.refusal(network)


def _check_classes(found: int, classes: int, path: str) -> None:
    if not found:
        raise ValueError(
            f"weights: {path!r} has no head, only the network below it; give the file with the head (of "
            "keras.applications, the one without 'notop' in its name)"
        )
    if found != classes:
        raise ValueError(
            f"weights: {path!r} has a head over {found:,} classes, but there are {classes:,} labels; give the "
            "labels of this head"
        )


def _load_head(network: keras.Model, model: keras.Model, file: weights.WeightsFile, *, convolution: bool) -> bool:
    """Fills `model`, which has `network` inside, from a file of the network with its head right on it."""
    head = model.get_layer("head")
    if convolution:
        x = keras.layers.Reshape((1, 1, network.output_shape[-1]))(network.output)
        last: keras.layers.Layer = keras.layers.Conv2D(head.units, 1)
    else:
        x, last = network.output, keras.layers.Dense(head.units)
    if not file.load(keras.Model(network.input, last(x))):
        return False
    kernel, bias = last.get_weights()
    head.set_weights([kernel.reshape(head.kernel.shape), bias])
    return True


def _with_own_head(
    application: Application, image: ImageConfig, classes: int, file: weights.WeightsFile
) -> keras.Model:
    network = applications.make_network(image, application, classes)
    if not file.load(network):
        below = applications.make_network(image, application)
        found = file.classes_above(below)
        if found is None:
            raise file.refusal(below)
        _check_classes(found, classes, file.path)
        raise file.refusal(network)
    last = [layer for layer in network.layers if layer.weights][-1]
    features = keras.layers.Flatten(name="features")(last.input)
    two = keras.Model(network.input, {"logits": network.output, "features": features}, name=network.name)
    images = keras.Input((image.size, image.size, image.channels), name="images")
    outputs = two(applications.preprocess(applications.to_rgb(images), application.preprocessing))
    return keras.Model(images, {name: outputs[name] for name in ("logits", "features")}, name="classifier")
