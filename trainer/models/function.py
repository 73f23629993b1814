"""The backbone that a function of the user's builds, checked before anything is trained."""

from collections.abc import Callable
from typing import Any

import keras

from trainer.models.backbone import ImageConfig


def build(image: ImageConfig, function: Callable[..., Any], path: str, options: dict[str, Any]) -> keras.Model:
    """Returns the backbone around the model that `function(image, **options)` returns.

    Args:
      image: the input images.
      function: returns a Keras model from images [batch, size, size, channels] with values 0..255 to features
        [batch, width], or to {'features', 'auxiliary'} if it has an auxiliary head.
      path: the function's dotted path, for errors.
      options: keyword arguments of the function.

    Raises:
      ValueError: the function fails; or its model takes other images, returns anything else, or cannot be saved and
        loaded.
    """
    try:
        model = function(image, **options)
    except Exception as error:  # whatever a function of somebody else raises
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"backbone.function: {path} failed with {type(error).__name__}: {reason}; correct it, or backbone.options"
        ) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"backbone.function: {path} returned {type(model).__name__}; it has to return a keras.Model")
    images = keras.Input((image.size, image.size, image.channels), name="images")
    _check_inputs(model, tuple(images.shape), path)
    outputs = model(images)
    _check_outputs(outputs, path)
    _check_saving(model, path)
    return keras.Model(images, outputs, name="backbone")


def _check_inputs(model: keras.Model, expected: tuple[int | None, ...], path: str) -> None:
    if not hasattr(model, "inputs") or not model.inputs:  # a class of the user's, which takes what it is given
        return
    found = [tuple(tensor.shape) for tensor in model.inputs]
    fits = len(found) == 1 and len(found[0]) == len(expected)
    if not fits or any(size not in (None, other) for size, other in zip(found[0], expected, strict=True)):
        raise ValueError(
            f"backbone.function: the model of {path} takes {', '.join(map(str, found))}, not images {expected}; build "
            "it for image.size and image.channels"
        )


def _check_outputs(outputs: Any, path: str) -> None:
    named = outputs if isinstance(outputs, dict) else {"features": outputs}
    if "features" not in named or named.keys() - {"features", "auxiliary"}:
        raise ValueError(
            f"backbone.function: the model of {path} has the outputs {', '.join(map(str, named))}; it has to return "
            "the features alone, or a dictionary of 'features' and 'auxiliary'"
        )
    for name, output in named.items():
        shape, dtype = getattr(output, "shape", None), getattr(output, "dtype", "")
        if shape is None or len(shape) != 2 or shape[1] is None or "float" not in str(dtype):
            found = f"{dtype} {tuple(shape)}" if shape is not None else type(output).__name__
            raise ValueError(
                f"backbone.function: the {name} of {path} are {found}; they have to be float [batch, width]: end the "
                "model with a global average, for example"
            )


def _check_saving(model: keras.Model, path: str) -> None:
    """Fine-tuning loads the model that pre-training wrote; hours may lie between."""
    try:
        keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    except (TypeError, ValueError, NotImplementedError, AttributeError, ImportError) as error:
        raise ValueError(
            f"backbone.function: the model of {path} cannot be saved and loaded: {_reason(error)}; give its own "
            "layers a get_config and @keras.saving.register_keras_serializable, and use no Lambda layer"
        ) from error


def _reason(error: Exception) -> str:
    """Returns the first sentence of the innermost error that Keras reports."""
    innermost = str(error).rpartition("Exception encountered: ")[2]
    return innermost.strip().partition("\n")[0].partition(". ")[0]
