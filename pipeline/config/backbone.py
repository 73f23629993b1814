"""The network of a configuration, and weights of it that exist already."""

from typing import Annotated, Any

import pydantic

from pipeline.config.weights import Weights
from trainer.models.backbone import Backbone


class ConfiguredBackbone(Backbone):
    """The network below the head.

    Attributes:
      weights: the file with its published weights. Only arms that start from `published` or `existing` use them; all
        others start as they do without. none: there are none.
    """

    weights: Annotated[Weights | None, pydantic.BeforeValidator(lambda value: None if value == "none" else value)] = (
        pydantic.Field(None, json_schema_extra={"default": "none"})
    )

    def pin(self) -> "ConfiguredBackbone":
        """Returns it with the hash of the weights, if there are some.

        Raises:
          ValueError: they are not there, or others than it says.
        """
        if self.weights is None:
            return self
        try:
            return self.model_copy(update={"weights": self.weights.pin()})
        except ValueError as error:
            raise ValueError(f"weights: {error}") from error

    @property
    def network(self) -> dict[str, Any]:
        """The network alone, as a Trainer takes it: its weights are in no other node's cache key."""
        return self.model_dump(exclude={"weights"})
