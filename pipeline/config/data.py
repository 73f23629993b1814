"""The data sets of a configuration: five kinds, told apart by the key that names the data."""

from typing import Annotated, Any, Literal

import pydantic

from components.example_gen import splits
from components.settings import Strict

Split = Literal["train", "eval", "test"]


def _name_or_share(value: Any) -> str | float:
    # Before the union is tried, whose own errors name its members and not the key.
    if not isinstance(value, str) and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError("must be a name, such as train or train[:90%], or a share, such as 0.8")
    return value


_Splits = dict[Split, Annotated[str | float, pydantic.BeforeValidator(_name_or_share)]]


class Hierarchy(Strict):
    """What lies above the labels; a mere string is its `file`.

    Attributes:
      file: CSV with the columns name and parent, Open Images' hierarchy JSON, WordNet's data.noun or ImageNet's
        wordnet.is_a.txt.
      titles: what people call the nodes, and then the labels too: Open Images' class-descriptions CSV, or ImageNet's
        words.txt.
    """

    file: str
    titles: str | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_string(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str) else value


class _Data(Strict):
    """What all kinds have.

    Attributes:
      hierarchy: what lies above the labels, for label_subset; null: what the data say themselves.
      max_pixels: height × width of an image that is taken; larger ones are rejected before they are decoded.
      max_rejected: share of the images that may be rejected; past it the run stops.
    """

    hierarchy: Hierarchy | None = None
    max_pixels: int = pydantic.Field(89_478_485, gt=0, le=178_956_970)
    max_rejected: float = pydantic.Field(0.01, ge=0, le=1)

    @pydantic.field_validator("splits", check_fields=False)
    @classmethod
    def _splits(cls, value: dict[str, Any]) -> dict[str, Any]:
        missing = {"train", "eval"} - set(value)
        if missing:
            raise ValueError(f"lacks {' and '.join(sorted(missing))}; train and eval are needed, test is optional")
        return value

    @property
    def location(self) -> str:
        """What names the data: a TFDS name, a path, a pattern."""
        return getattr(self, kind_of(self))

    def reader_settings(self) -> dict[str, Any]:
        """Returns what `components.example_gen.readers.of` takes."""
        return self.model_dump(exclude={"hierarchy", "max_pixels", "max_rejected"})


class _SplitData(_Data):
    """What all kinds but TFDS's have.

    Attributes:
      splits: our train, eval and test: names of the data's own splits, or a part of one by the hash of the images
        (train[:90%]); or shares of all images (0.8), by that hash.
    """

    splits: _Splits

    @pydantic.model_validator(mode="after")
    def _rules(self) -> "_SplitData":
        splits.rules(self.splits)
        return self


class _PatternData(_SplitData):
    """Those whose path has {split} in it where the name of a split stands."""

    @pydantic.model_validator(mode="after")
    def _place(self) -> "_PatternData":
        splits.own_in(kind_of(self), self.location, self.splits)
        return self


class TfdsData(_Data):
    """A prepared TFDS data set.

    Attributes:
      dataset: a TFDS name, such as cifar10 or oxford_iiit_pet:4.*.*, or printed_glyphs or handwritten_digits.
      splits: our train, eval and test, as TFDS split expressions (which slice by position), or as shares of all that it
        has, by the hash of the images; train and eval are needed.
      data_dir: where it is prepared; null is TFDS's default.
      image_key, label_key, id_key: features, a/b for the b of each a; without an id_key a hash of the image identifies
        it.
      min_confidence: the least `confidence`, beside the label_key, of a label that counts; a label with a 0 never does.
    """

    dataset: str
    splits: _Splits
    data_dir: str | None = None
    image_key: str = "image"
    label_key: str = "label"
    id_key: str | None = None
    min_confidence: pydantic.PositiveFloat | None = None

    @pydantic.model_validator(mode="after")
    def _shares(self) -> "TfdsData":
        if not all(isinstance(value, str) for value in self.splits.values()):
            splits.rules(self.splits)
        return self


class FolderData(_SplitData):
    """A folder of images, with a folder a class; see `components.example_gen.readers.folder`.

    Attributes:
      folder: path or URI.
      splits: names are folders in it, which hold the class folders.
    """

    folder: str


class ManifestData(_SplitData):
    """A CSV or Parquet file with a row an image; see `components.example_gen.readers.manifest`.

    Attributes:
      manifest: path or URI of a .csv, .tsv or .parquet file.
      splits: names are values of the column `split_key`.
      image_key, label_key, split_key, id_key: columns; without an id_key the path identifies an image.
      separator: of several labels in a text; null: one label.
      names: a file with the label names in their order; null: those of the manifest, sorted.
    """

    manifest: str
    image_key: str = "path"
    label_key: str = "label"
    separator: str | None = pydantic.Field(None, min_length=1)
    split_key: str | None = None
    id_key: str | None = None
    names: str | None = None

    @pydantic.model_validator(mode="after")
    def _named(self) -> "ManifestData":
        if (self.split_key is None) == isinstance(self.splits["train"], str):
            raise ValueError(
                f"split_key: {self.split_key!r} with splits {dict(self.splits)}; names of splits need the column that "
                "holds them, and shares need none"
            )
        return self


class RecordsData(_PatternData):
    """TFRecords of other origin; see `components.example_gen.readers.tfrecords`.

    Attributes:
      tfrecords: glob pattern; with {split} in it for splits of the data's own.
      splits: names take the place of {split}.
      compression: of the files.
      image_key, label_key, id_key: features; without an id_key a hash of the image identifies it.
      names: a file with the label names in their order; needed if the labels are integers.
      several_labels: whether an image may have more than one.
    """

    tfrecords: str
    compression: Literal["none", "gzip", "zlib"] = "gzip"
    image_key: str = "image/encoded"
    label_key: str = "image/class/label"
    id_key: str | None = None
    names: str | None = None
    several_labels: bool = False


class UriData(_PatternData):
    """A text file with `URI` or `URI<TAB>label` a line; see `components.example_gen.readers.uris`.

    Attributes:
      uris: path or URI of the list; with {split} in it for a list a split.
      splits: names take the place of {split}.
    """

    uris: str


_KINDS = {
    "dataset": TfdsData,
    "folder": FolderData,
    "manifest": ManifestData,
    "tfrecords": RecordsData,
    "uris": UriData,
}


def kind_of(value: Any) -> str:
    """Returns the key that names the data, of keys and values or of a data set.

    Raises:
      ValueError: it has none of them, or several.
    """
    keys = value if isinstance(value, dict) else type(value).model_fields if isinstance(value, _Data) else {}
    named = [key for key in _KINDS if key in keys]
    if len(named) != 1:
        has = f"has {' and '.join(named)}" if named else "names no data"
        raise ValueError(f"{has}; give exactly one of {', '.join(_KINDS)}")
    return named[0]


def _checked(value: Any) -> Any:
    kind_of(value)  # as a validator, because what a discriminator raises is not told as a mistake of the configuration
    return value


Data = Annotated[
    Annotated[TfdsData, pydantic.Tag("[dataset]")]
    | Annotated[FolderData, pydantic.Tag("[folder]")]
    | Annotated[ManifestData, pydantic.Tag("[manifest]")]
    | Annotated[RecordsData, pydantic.Tag("[tfrecords]")]
    | Annotated[UriData, pydantic.Tag("[uris]")],
    pydantic.Discriminator(lambda value: f"[{kind_of(value)}]"),
    pydantic.BeforeValidator(_checked),
]
