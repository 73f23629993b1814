"""What a network sees, and a backbone by its name. Pure: both can be checked before Keras is imported."""

import importlib
from typing import TYPE_CHECKING, Any

import pydantic

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
    def _channels(cls, value: int) -> int:
        if value not in (1, 3):
            raise ValueError("must be 1 (grey) or 3 (RGB)")
        return value


class Backbone(StrictModel):
    """The network below the head.

    Attributes:
      name: name of the backbone.
      options: options of this backbone.
    """

    name: str
    # Validated, so that left out and spelt out defaults are the same configuration, and the same cache key.
    options: dict[str, Any] = pydantic.Field({}, validate_default=True)

    @pydantic.field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if value not in SPECS:
            raise ValueError(f"must be one of {', '.join(SPECS)}{did_you_mean(value, SPECS)}")
        return value

    @pydantic.field_validator("options")
    @classmethod
    def _options(cls, value: dict[str, Any], info: pydantic.ValidationInfo) -> dict[str, Any]:
        if "name" not in info.data:  # the name's own error says enough
            return value
        return SPECS[info.data["name"]].options(**value).model_dump()

    def check(self, image: ImageConfig) -> None:
        """Raises a ValueError if the backbone cannot take such images."""
        if image.size < SPECS[self.name].min_size:
            raise ValueError(f"image.size: {image.size}; {self.name} needs at least {SPECS[self.name].min_size}")

    def build(self, image: ImageConfig) -> "keras.Model":
        """Returns the model, randomly initialised, from images with values 0..255 to features."""
        self.check(image)
        return importlib.import_module(SPECS[self.name].module).build(image, **self.options)
