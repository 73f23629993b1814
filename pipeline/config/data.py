"""The data sets of a configuration: the keys of a reader, and those that every kind of data has beside them."""

from typing import TYPE_CHECKING, Annotated, Any, Union

import pydantic

from components.example_gen import readers
from components.example_gen.readers.reader import Reader
from components.settings import StrictModel


class Hierarchy(StrictModel):
    """The nodes above the labels. A string is short for its `file`.

    Attributes:
      file: a CSV with the columns `name` and `parent`, Open Images' hierarchy JSON, WordNet's `data.noun`, or
        ImageNet's `wordnet.is_a.txt`.
      titles: readable names of nodes and labels: Open Images' class-descriptions CSV, or ImageNet's `words.txt`.
        null: the names are used as they are.
    """

    file: str
    titles: str | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str) else value


class _Data(StrictModel):
    """The keys that every kind of data has beside those of its reader.

    Attributes:
      hierarchy: the nodes above the labels, for `label_subset`. null: the hierarchy that the data set itself has.
      max_pixels: the largest height × width of an image. Larger images are rejected before they are decoded.
      max_rejected: the share of images that may be rejected. Above it the run stops.
    """

    hierarchy: Hierarchy | None = None
    max_pixels: int = pydantic.Field(89_478_485, gt=0, le=178_956_970)
    max_rejected: float = pydantic.Field(0.01, ge=0, le=1)

    @property
    def location(self) -> str:
        """What names the data: a TFDS name, a path, a pattern."""
        return str(getattr(self, _kind_of(self)))

    def reader(self) -> Reader:
        """Returns what reads the data."""
        return readers.make_reader(self.model_dump(exclude=set(_Data.model_fields)))


def _kind_of(value: Any) -> str:
    return readers.kind_of(dict(value) if isinstance(value, _Data) else value)


def _checked(value: Any) -> Any:
    _kind_of(value)  # as a validator, because what a discriminator raises is not told as a mistake of the configuration
    return value


def _model(kind: str) -> type[StrictModel]:
    """Returns the model of the keys of a reader and of `_Data`."""
    reader = readers.class_of(kind)
    bases: tuple[type[StrictModel], ...] = (reader, _Data)
    name = f"{reader.__name__.removesuffix('Reader')}Data"
    return pydantic.create_model(name, __base__=bases, __module__=__name__, __doc__=reader.__doc__)


if TYPE_CHECKING:

    class Data(Reader, _Data):
        """What all kinds have."""

else:
    _MODELS = tuple(Annotated[_model(kind), pydantic.Tag(f"[{kind}]")] for kind in readers.KINDS)
    Data = Annotated[
        Union[_MODELS],  # noqa: UP007 - of as many as there are kinds
        pydantic.Discriminator(lambda value: f"[{_kind_of(value)}]"),
        pydantic.BeforeValidator(_checked),
    ]
