"""Opens a .keras file from elsewhere."""

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator

import keras
import tensorflow as tf

from components import storage
from trainer import serving
from trainer.model_import import conversions
from trainer.model_import.opened import Opened, make_noise, plain
from trainer.model_import.settings import PIXELS, ModelInput, SavedClassifier


def open_keras_file(settings: SavedClassifier) -> Opened:
    """Returns the classifier in a .keras file: one of this product, or one whose last layer with weights is Dense.

    Raises:
      ValueError: there is no such file, or what the settings say of it is not so.
    """
    model = _to_functional(_load(settings.model), settings)
    shape = model.input_shape
    if not isinstance(shape, tuple):
        raise ValueError(f"model: {settings.model!r} has several inputs; name a model that takes images alone")
    own = isinstance(model.output, dict) and {"logits", "features"} <= set(model.output)
    given = settings.input
    if given is None:
        if not own:
            raise ValueError(
                f"input: missing, and {settings.model!r} does not say what pixels it takes; set input, for example "
                "{size: 224, channels: 3, range: [-1, 1]}"
            )
        given = ModelInput(size=shape[1], channels=shape[3], range=list(PIXELS))
    conversions.check_input(shape[1:], given, settings.model)
    if own and tuple(given.range) != PIXELS:
        raise ValueError(f"input.range: {given.range}, but {settings.model!r} takes 0 to 255; leave it out")
    split = model if own else _split(model, settings)
    tried = split(conversions.scale(make_noise(given), given.range), training=False)
    conversions.check_outputs(tried["logits"].numpy(), settings.output, settings.loss, settings.model)

    def call(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = split(conversions.scale(pixels, given.range), training=False)
        found = {"logits": conversions.to_logits(outputs["logits"], settings.output, settings.activation)}
        if "features" in outputs:
            found["features"] = tf.cast(outputs["features"], tf.float32)
        return found

    network = serving.Network(call, [variable.value for variable in model.variables], model.save if own else None)
    return Opened(network, plain(given), int(tried["logits"].shape[1]))


def _load(path: str) -> keras.Model:
    if not tf.io.gfile.exists(path):
        raise ValueError(f"model: {path!r} is not there; correct the path")
    try:
        with _local(path) as copy:
            model = keras.saving.load_model(copy, compile=False)
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(
            f"model: {path!r} cannot be loaded: {reason}; name a .keras file that Keras 3 wrote, with layers of Keras "
            "alone, or save yours as a SavedModel"
        ) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"model: {path!r} has a {type(model).__name__} in it, not a model; name another file")
    return model


@contextlib.contextmanager
def _local(path: str) -> Iterator[str]:
    """Gives the path of a copy on this machine's disk, or `path` itself if it is there."""
    if not storage.is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "model.keras")
        tf.io.gfile.copy(path, copy)
        yield copy


def _to_functional(model: keras.Model, settings: SavedClassifier) -> keras.Model:
    """Returns the same model with inputs and outputs, which a sequential one only has inside."""
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs[0])
    if not hasattr(model, "operations"):
        raise _no_classifier(settings)
    return model


def _no_classifier(settings: SavedClassifier) -> ValueError:
    return ValueError(
        f"model: {settings.model!r} is not a functional or sequential classifier with one output [images, labels]; "
        "name one, or save yours as a SavedModel"
    )


def _split(model: keras.Model, settings: SavedClassifier) -> keras.Model:
    """Returns a model that gives logits and, if its last layer with weights is Dense, the features that this takes."""
    if len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise _no_classifier(settings)
    last = next((layer for layer in reversed(model.layers) if layer.weights), None)
    outputs = {"logits": model.outputs[0]}
    if isinstance(last, keras.layers.Dense) and len(last.input.shape) == 2:
        outputs["features"] = last.input
    return keras.Model(model.inputs, outputs)
