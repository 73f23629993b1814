"""The data sets of a configuration: the keys of a reader, and the keys that all kinds of data share."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

import pydantic

from components.deep_images import Scale16Bit
from components.example_gen import readers, text
from components.example_gen.readers.reader import Reader
from components.settings import PathText, StrictModel


class Hierarchy(StrictModel):
    """The nodes above the labels. A string is short for its `file`.

    Attributes:
      file: a CSV with the columns `name` and `parent`, Open Images' hierarchy JSON, WordNet's `data.noun`, or
        ImageNet's `wordnet.is_a.txt`.
      titles: readable names of nodes and labels: Open Images' class-descriptions CSV, or ImageNet's `words.txt`.
        null: the names are used as they are.
      encoding: encoding of both files, as Python calls it.
    """

    file: PathText
    titles: PathText | None = None
    encoding: text.Encoding = "utf-8"

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
      check: full: each image is decoded. header: only its header is read, for files that are known to be whole; a
        damaged image then ends a training.
      scale_16_bit: what becomes of images of 16 bits. max: their high bytes are kept, so that 65535 is white. range:
        the least and the greatest value of each image become black and white. The served model does the same.
      threads: the number of threads that check images in each Beam worker. 0: the number of its
        cores; one for images below 4 kB and for headers.
    """

    hierarchy: Hierarchy | None = None
    max_pixels: int = pydantic.Field(89_478_485, gt=0, le=178_956_970)
    max_rejected: float = pydantic.Field(0.01, ge=0, le=1)
    check: Literal["full", "header"] = "full"
    scale_16_bit: Scale16Bit = "max"
    threads: int = pydantic.Field(0, ge=0)

    @property
    def location(self) -> str:
        """The name, path or pattern of the data."""
        return str(getattr(self, _kind_of(self)))

    def reader(self) -> Reader:
        """Returns the reader of the data."""
        return readers.make_reader(self.model_dump(exclude=set(_Data.model_fields)))


def _kind_of(value: Any) -> str:
    return readers.kind_of(dict(value) if isinstance(value, _Data) else value)


def _check_kind(value: Any) -> Any:
    _kind_of(value)  # a validator, because pydantic does not report the errors of a discriminator as validation errors
    return value


def _create_model(kind: str) -> type[StrictModel]:
    """Creates the model with the keys of a reader and of `_Data`."""
    reader = readers.class_of(kind)
    bases: tuple[type[StrictModel], ...] = (reader, _Data)
    name = f"{reader.__name__.removesuffix('Reader')}Data"
    return pydantic.create_model(name, __base__=bases, __module__=__name__, __doc__=reader.__doc__)


if TYPE_CHECKING:

    class Data(Reader, _Data):
        """What all kinds of data share."""

else:
    _MODELS = tuple(Annotated[_create_model(kind), pydantic.Tag(f"[{kind}]")] for kind in readers.KINDS)
    Data = Annotated[
        Union[_MODELS],  # noqa: UP007 - the number of kinds is not fixed
        pydantic.Discriminator(lambda value: f"[{_kind_of(value)}]"),
        pydantic.BeforeValidator(_check_kind),
    ]
