"""Opens a SavedModel from elsewhere."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from components.artifacts import model_labels
from trainer.model_import import conversions
from trainer.model_import.opened import Opened, make_noise, plain
from trainer.model_import.settings import PIXELS, ModelInput, SavedClassifier
from trainer.serving import Network

_DEFAULT = "serving_default"
_OWN = ("decode", "features", "image_bytes")  # the signatures of a SavedModel of this product
_ONLY = "output"  # the key of a model that gives a tensor alone
_NO_BATCH = 1


def load(path: str) -> Any:
    """Returns the SavedModel in the folder `path`.

    Raises:
      ValueError: there is none, or it cannot be loaded.
    """
    if not any(tf.io.gfile.exists(os.path.join(path, name)) for name in ("saved_model.pb", "saved_model.pbtxt")):
        below = os.path.join(path, "Format-Serving")
        hint = f"{below!r}" if tf.io.gfile.exists(below) else "the folder of a SavedModel, or a .keras file"
        raise ValueError(f"model: {path!r} has no saved_model.pb in it; name {hint}")
    try:
        return tf.saved_model.load(path)
    except (tf.errors.OpError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"model: {path!r} cannot be loaded: {_first_line(error)}; name another SavedModel") from error


def read_own_labels(loaded: Any, path: str) -> tuple[str, ...] | None:
    """Returns the labels of a SavedModel of this product; None: it is another's."""
    return model_labels.read(path) if set(_OWN) <= set(getattr(loaded, "signatures", ())) else None


def check_own(loaded: Any, settings: SavedClassifier) -> None:
    """Checks that what is said of a SavedModel of this product is so.

    Raises:
      ValueError: it takes other images, has other outputs, or was trained by another loss.
    """
    for key in ("labels", "signature", "output_key", "features_key"):
        if (value := getattr(settings, key)) is not None:
            raise ValueError(f"{key}: {value!r}, but {settings.model!r} says itself what it has; leave it out")
    if settings.output != "logits":
        raise ValueError(f"output: {settings.output!r}, but {settings.model!r} gives logits; leave it out")
    pixels = loaded.signatures["decode"].structured_outputs["pixels"].shape.as_list()
    given = settings.input
    if given is not None:
        conversions.check_input(pixels, given, settings.model)
        if tuple(given.range) != PIXELS:
            raise ValueError(f"input.range: {given.range}, but {settings.model!r} takes 0 to 255; leave input out")
    noise = make_noise(ModelInput(size=pixels[0], channels=pixels[2], range=list(PIXELS)))[0]
    probabilities = loaded.signatures["image_bytes"](image_bytes=tf.io.encode_png(noise)[None])["probabilities"]
    logits = loaded.signatures["features"](pixels=noise[None])["logits"]
    by_loss = {"softmax": tf.nn.softmax(logits), "sigmoid": tf.nn.sigmoid(logits)}
    found = min(by_loss, key=lambda loss: float(tf.reduce_max(tf.abs(by_loss[loss] - probabilities))))
    if found != settings.loss:
        raise ValueError(
            f"loss: {settings.loss!r}, but {settings.model!r} was trained with {found}; set loss to {found}"
        )


def open_saved_model(loaded: Any, settings: SavedClassifier, num_labels: int) -> Opened:
    """Returns the classifier of a SavedModel that is not this product's.

    Args:
      loaded: as `load` returns it.
      settings: what is said of it.
      num_labels: number of labels, by which the output is found.

    Raises:
      ValueError: what the settings say is not so.
    """
    given = settings.input
    if given is None:
        raise ValueError(
            f"input: missing, and {settings.model!r} does not say what pixels it takes; set input, for example "
            "{size: 224, channels: 3, range: [-1, 1]}"
        )
    run = _find_call(loaded, settings, given)
    noise = conversions.scale(make_noise(given), given.range)
    try:
        tried = run(noise)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        raise ValueError(
            f"input: {settings.model!r} does not take {noise.shape[0]} images of {given.size} × {given.size} × "
            f"{given.channels}: {_first_line(error)}; correct input"
        ) from error
    key = _find_output(tried, settings, num_labels)
    conversions.check_outputs(tried[key].numpy(), settings.output, settings.loss, settings.model)
    features_key, width = settings.features_key, None
    if features_key is not None:
        width = _check_features(tried, features_key, settings.model)

    def call(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = run(conversions.scale(pixels, given.range))
        logits = conversions.to_logits(outputs[key], settings.output, settings.activation)
        found = {"logits": tf.ensure_shape(logits, [None, tried[key].shape[1]])}
        if features_key is not None:
            found["features"] = tf.ensure_shape(tf.cast(outputs[features_key], tf.float32), [None, width])
        return found

    return Opened(Network(call, loaded), plain(given), int(tried[key].shape[1]))


def _find_call(
    loaded: Any, settings: SavedClassifier, given: ModelInput
) -> Callable[[tf.Tensor], Mapping[str, tf.Tensor]]:
    """Returns what takes a batch of float images and gives outputs by key."""
    signatures = getattr(loaded, "signatures", {})
    name = settings.signature or _DEFAULT
    if name not in signatures:
        if settings.signature is None and not signatures and callable(loaded):
            return lambda images: _by_key(_call_object(loaded, images))
        known = ", ".join(signatures) or "none"
        raise ValueError(f"signature: {name!r} is not in {settings.model!r}, which has {known}; set signature to one")
    function = signatures[name]
    _, inputs = function.structured_input_signature
    if len(inputs) != 1:
        raise ValueError(
            f"signature: {name!r} of {settings.model!r} takes {', '.join(sorted(inputs))}; set signature to one that "
            "takes images alone"
        )
    ((argument, spec),) = inputs.items()
    if not (spec.dtype.is_floating or spec.dtype == tf.uint8):
        raise ValueError(
            f"signature: {name!r} of {settings.model!r} takes {spec.dtype.name}, not images; set signature to one of "
            f"{', '.join(signatures)} that takes numbers"
        )
    if spec.dtype == tf.uint8 and tuple(given.range) != PIXELS:
        raise ValueError(f"input.range: {given.range}, but {settings.model!r} takes bytes; set it to [0, 255]")
    if spec.shape.rank is not None:
        batch, *shape = spec.shape.as_list()
        conversions.check_input(shape, given, settings.model)
        if batch is not None:
            raise ValueError(
                f"model: {settings.model!r} takes {batch} image{'s' * (batch != _NO_BATCH)} at a time; save it again "
                "with a batch of any size"
            )
    return lambda images: function(**{argument: tf.cast(images, spec.dtype)})


def _call_object(loaded: Any, images: tf.Tensor) -> Any:
    try:
        return loaded(images, training=False)
    except (TypeError, ValueError):  # it has no such argument
        return loaded(images)


def _by_key(outputs: Any) -> Mapping[str, tf.Tensor]:
    return outputs if isinstance(outputs, Mapping) else {_ONLY: outputs}


def _find_output(outputs: Mapping[str, tf.Tensor], settings: SavedClassifier, num_labels: int) -> str:
    shapes = ", ".join(f"{key} {value.shape.as_list()}" for key, value in outputs.items())
    if settings.output_key is not None:
        if settings.output_key not in outputs:
            raise ValueError(
                f"output_key: {settings.output_key!r} is not among the outputs of {settings.model!r}: {shapes}"
            )
        found = [settings.output_key]
    else:
        found = [
            key
            for key, value in outputs.items()
            if value.dtype.is_floating and value.shape.rank == 2 and key != settings.features_key
        ]
        if len(found) > 1:
            found = [key for key in found if outputs[key].shape[1] == num_labels] or found
    if len(found) != 1:
        raise ValueError(
            f"output_key: missing, and {settings.model!r} has the outputs {shapes or 'none'}; set it to the one with a "
            "number for each label"
        )
    if outputs[found[0]].shape.rank != 2:
        raise ValueError(f"output_key: {found[0]!r} is not [images, labels]; the outputs are {shapes}")
    return found[0]


def _check_features(outputs: Mapping[str, tf.Tensor], key: str, model: str) -> int:
    """Returns the number of features."""
    shapes = ", ".join(f"{name} {value.shape.as_list()}" for name, value in outputs.items())
    if key not in outputs or outputs[key].shape.rank != 2:
        raise ValueError(f"features_key: {key!r} is no output [images, features] of {model!r}, which has {shapes}")
    return int(outputs[key].shape[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
