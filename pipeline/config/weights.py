"""Weights that exist already: where they are, and what a user says of them."""

from typing import Annotated, Any

import pydantic

from components import storage
from components.settings import PathText, StrictModel

Sha256 = Annotated[str | None, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]


class Weights(StrictModel):
    """A file or folder with weights. A string is short for its `path`.

    Attributes:
      path: of the file, or of the folder of a keras-hub preset or a SavedModel.
      source: where the weights are from, such as a URL or the name of a paper. It is recorded with their hash. null:
        the record leaves it open.
      licence: what they may be used for, such as `Apache-2.0`. It is recorded. null: the record leaves it open.
      sha256: their hash, 64 hex digits. A run of other weights stops. null: any will do; the record has their hash.
    """

    path: PathText
    source: str | None = None
    licence: str | None = None
    sha256: Sha256 = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    def pin(self) -> "Weights":
        """Returns them with their hash, so that others are refused; raises as `fingerprint`."""
        return self.model_copy(update={"sha256": self.fingerprint()})

    def fingerprint(self) -> str:
        """Returns the SHA-256 of the file, or of the names and contents of a folder's files: 64 hex digits.

        Raises:
          ValueError: there is nothing at the path, or its hash is not `sha256`.
        """
        found = storage.find_sha256(self.path)
        if self.sha256 not in (None, found):
            raise ValueError(
                f"sha256: {self.sha256}, but {self.path!r} has {found}; name the weights that are meant, or correct it"
            )
        return found
