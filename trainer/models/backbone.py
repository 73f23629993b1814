"""Settings of the input images and of the backbone. Pure: both are validated before Keras is imported."""

import hashlib
import importlib
import inspect
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pydantic

from components import extras
from components.settings import StrictModel, did_you_mean
from trainer.models.registry import SPECS

if TYPE_CHECKING:
    import keras


class ImageConfig(StrictModel):
    """The images as the networks see them: squares with values 0..255.

    Attributes:
      size: side in pixels.
      channels: 1 (grey) or 3 (RGB).
      central_crop: the share of the side of an image's central square that evaluation and serving see; 0.875 for
        Inception. Training sees the same, unless its recipe has a `crop`.
    """

    size: pydantic.PositiveInt
    channels: int = pydantic.Field(3, json_schema_extra={"enum": [1, 3]})
    central_crop: float = pydantic.Field(1.0, gt=0, le=1)

    @pydantic.field_validator("channels")
    @classmethod
    def _check_channels(cls, value: int) -> int:
        if value not in (1, 3):
            raise ValueError("must be 1 (grey) or 3 (RGB)")
        return value


class Backbone(StrictModel):
    """The network below the head. Either `name` or `function` says which.

    Attributes:
      name: name of the backbone.
      function: dotted path of a function of an installed package, such as `package.module.build`. `build(image,
        **options)` returns a Keras model from images [batch, image.size, image.size, image.channels] with values 0..255
        to features [batch, width].
      options: options of this backbone; those of a function are its keyword arguments.
    """

    name: str | None = None
    function: str | None = None
    # Validated so that omitted defaults and written ones give the same configuration, and the same cache key.
    options: dict[str, Any] = pydantic.Field({}, validate_default=True)

    @pydantic.field_validator("name")
    @classmethod
    def _check_name(cls, value: str | None) -> str | None:
        if value is not None and value not in SPECS:
            raise ValueError(f"must be one of {', '.join(SPECS)}{did_you_mean(value, SPECS)}")
        return value

    @pydantic.field_validator("function")
    @classmethod
    def _check_function(cls, value: str | None) -> str | None:
        if value is not None:
            _find(value)
        return value

    @pydantic.field_validator("options")
    @classmethod
    def _check_options(cls, value: dict[str, Any], info: pydantic.ValidationInfo) -> dict[str, Any]:
        name, function = info.data.get("name"), info.data.get("function")
        if name is not None:
            return SPECS[name].options(**value).model_dump()
        if function is not None:
            _check_arguments(function, value)
        return value  # the error of the name or of the function is enough

    @pydantic.model_validator(mode="after")
    def _check_one(self) -> "Backbone":
        if (self.name is None) == (self.function is None):
            raise ValueError(
                f"name: {self.name!r}, function: {self.function!r}; give a name of docs/configuration.md or a "
                "function of your own, and not both"
            )
        return self

    @property
    def label(self) -> str:
        """What tables and messages call it: its name, or the path of its function."""
        return self.name or self.function or ""

    @property
    def is_from_elsewhere(self) -> bool:
        """Whether another package builds the network, which says only then whether it can."""
        return self.function is not None or self.name == "keras_hub"

    def check(self, image: ImageConfig) -> None:
        """Checks that it can be built for such images.

        Raises:
          ValueError: the images are too small.
          ModuleNotFoundError: an extra is missing.
        """
        if self.name is None:
            return
        spec = SPECS[self.name]
        if image.size < spec.min_size:
            raise ValueError(f"image.size: {image.size}; {self.name} needs at least {spec.min_size}")
        if spec.extra:
            extras.require(*spec.extra)

    def module(self) -> str:
        """Returns the module of this project that builds it."""
        return SPECS[self.name].module if self.name else "trainer.models.function"

    def elsewhere(self) -> list[str]:
        """Returns the modules of other packages that build it: that of its function."""
        return [self.function.rpartition(".")[0]] if self.function else []

    def fingerprint(self) -> str:
        """Returns what it is made of besides code and options: its line of the registry, and the files of a preset."""
        spec = SPECS[self.name] if self.name else None
        files = [] if spec is None else spec.files(self.options)
        parts = [repr(spec.application)] if spec and spec.application else []
        for path in files:
            with open(path, "rb") as file:
                parts.append(f"{os.path.basename(path)} {hashlib.sha256(file.read()).hexdigest()}")
        return "\n".join(parts)

    def build(self, image: ImageConfig) -> "keras.Model":
        """Returns a randomly initialised model from images with values 0..255 to features."""
        self.check(image)
        module = importlib.import_module(self.module())
        if self.function:
            return module.build(image, _find(self.function), self.function, self.options)
        application = SPECS[self.name or ""].application
        return module.build(image, *([application] if application else []), **self.options)


def _find(path: str) -> Callable[..., Any]:
    """Returns the function at a dotted path."""
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise ValueError(f"{path!r} is no dotted path of a function; write it as package.module.build")
    try:
        found = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ValueError(
            f"{path!r} cannot be imported ({error}); install its package in this environment, or correct the path"
        ) from error
    except AttributeError as error:
        raise ValueError(f"{path!r}: {module} has no {name!r}; correct the path") from error
    except Exception as error:  # whatever a module of somebody else raises
        raise ValueError(
            f"{path!r} cannot be imported: {module} failed with {type(error).__name__}: {error}; correct the module"
        ) from error
    if not callable(found):
        raise ValueError(f"{path!r} is a {type(found).__name__}, not a function; name one that returns a Keras model")
    return cast("Callable[..., Any]", found)


def _check_arguments(path: str, options: dict[str, Any]) -> None:
    signature = inspect.signature(_find(path))
    try:
        signature.bind("image", **options)
    except TypeError as error:
        raise ValueError(
            f"{options} do not fit {path}{signature}: {error}; it is called with the image and these options"
        ) from error
