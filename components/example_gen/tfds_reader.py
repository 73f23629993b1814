"""Reading a TFDS builder: by its name, at its prepared files, with the encoded bytes passed through."""

import dataclasses
import difflib
import hashlib
import importlib
import os
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from components.example_gen import tfds_features, vocabulary
from components.example_gen.examples import LabelledImage

# Builders that come with this package; they are generated, so they can be prepared whenever they are asked for.
EMBEDDED = {
    "handwritten_digits": "components.example_gen.builders.handwritten_digits.HandwrittenDigits",
    "printed_glyphs": "components.example_gen.builders.printed_glyphs.PrintedGlyphs",
}

_PART_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class TfdsDataset:
    """A data set, as the configuration names it.

    Attributes:
      name: a TFDS name such as 'cifar10' or 'oxford_iiit_pet:4.*.*', or an embedded one.
      splits: our split name ('train', 'eval', 'test') → TFDS split expression, such as 'train[:90%]'.
      data_dir: where prepared data are; None is TFDS's own default ($TFDS_DATA_DIR, else ~/tensorflow_datasets).
      image_key, label_key: names of the features; 'objects/label' is the label of each of the `objects`.
      id_key: name of the feature that identifies an example; None: a hash of its image does.
      min_confidence: the least `confidence` of a label that counts, where there is such a feature beside the label's.
    """

    name: str
    splits: dict[str, str]
    data_dir: str | None = None
    image_key: str = "image"
    label_key: str = "label"
    id_key: str | None = None
    min_confidence: float | None = None


@dataclasses.dataclass(frozen=True)
class Part:
    """A run of consecutive examples that one worker reads."""

    split: str
    instruction: tfds.typing.SplitArg


def prepare(dataset: TfdsDataset) -> bool:
    """Makes an embedded data set's files if they are not there yet.

    Returns:
      Whether anything had to be made.
    """
    if dataset.name not in EMBEDDED or _builder(dataset).is_prepared():
        return False
    _builder(dataset).download_and_prepare()
    return True


def fingerprint(dataset: TfdsDataset) -> str:
    """Returns 16 hex digits that change when the prepared files do.

    The record files go in by name and size, what TFDS says of them and the label names by their content.
    """
    folder = str(_prepared(dataset).data_dir)
    digest = hashlib.sha256()
    for name in sorted(tf.io.gfile.listdir(folder)):
        path = os.path.join(folder, name)
        digest.update(f"{name} {tf.io.gfile.stat(path).length}\n".encode())
        if name.endswith((".json", ".txt")):
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()[:16]


def read_vocabulary(dataset: TfdsDataset) -> vocabulary.Vocabulary:
    """Returns the label names, and their parents where the builder's metadata have `parents`: {name: [parent, …]}.

    Raises:
      ValueError: the label feature has no names.
    """
    info = _prepared(dataset).info
    feature = _feature(dataset, info, "label_key")
    _confidence_key(dataset, info)
    feature = getattr(feature, "feature", feature)  # a Sequence of ClassLabels: several labels an image
    if not isinstance(feature, tfds.features.ClassLabel):
        raise ValueError(
            f"label_key: {dataset.label_key!r} of {dataset.name!r} is a {type(feature).__name__}, not a ClassLabel"
        )
    parents = info.metadata.get("parents") if isinstance(info.metadata, dict) else None
    return vocabulary.make(feature.names, parents)


def has_several_labels(dataset: TfdsDataset) -> bool:
    """Returns whether an example may have more than one label."""
    info = _prepared(dataset).info
    _feature(dataset, info, "label_key")
    return tfds_features.is_repeated(info.features, dataset.label_key)


def sizes(dataset: TfdsDataset) -> dict[str, tuple[int, int]]:
    """Returns split → (number of examples, estimated bytes).

    Raises:
      ValueError: a split expression does not fit the data set, or selects nothing.
    """
    info = _prepared(dataset).info
    whole = {name: max(1, split.num_examples) for name, split in info.splits.items()}
    found = {}
    for split, expression in dataset.splits.items():
        try:
            examples = info.splits[expression].num_examples
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"splits.{split}: {expression!r} does not fit {dataset.name!r}, which has the splits {', '.join(whole)}"
            ) from error
        if examples < 1:  # below 0 where a slice ends before it begins
            raise ValueError(f"splits.{split}: {expression!r} selects no example of {dataset.name!r}")
        bytes_each = sum(split.num_bytes for split in info.splits.values()) / sum(whole.values())
        found[split] = examples, int(examples * bytes_each)
    return found


def parts(dataset: TfdsDataset, split: str) -> list[Part]:
    """Returns `split` as runs of about 64 MB, two of a smaller one so that workers can share even that."""
    examples, size = sizes(dataset)[split]
    count = min(examples, max(2, size // _PART_BYTES))
    found = _prepared(dataset).info.splits
    # Of a sum of splits each term is spread: of terms with few examples the last runs get none, which TFDS cannot read.
    return [Part(split, run) for run in tfds.even_splits(dataset.splits[split], count) if found[run].num_examples]


def read(dataset: TfdsDataset, part: Part) -> Iterator[LabelledImage]:
    """Yields the examples of `part`, images still encoded."""
    builder = _prepared(dataset)
    image = _feature(dataset, builder.info, "image_key")
    if not isinstance(image, tfds.features.Image):
        raise ValueError(
            f"image_key: {dataset.image_key!r} of {dataset.name!r} is a {type(image).__name__}, not an Image"
        )
    for argument in ("label_key", *(["id_key"] if dataset.id_key else [])):
        _feature(dataset, builder.info, argument)
    features, confidence_key = builder.info.features, _confidence_key(dataset, builder.info)
    keys = [key for key in (dataset.image_key, dataset.label_key, confidence_key, dataset.id_key) if key]

    def value(row: dict, key: str):
        for name in tfds_features.path(features, key):
            row = row[name]
        return row

    rows = builder.as_dataset(
        split=part.instruction,
        decoders=tfds.decode.PartialDecoding(
            tfds_features.partial(features, keys), decoders={dataset.image_key: tfds.decode.SkipDecoding()}
        ),
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
        shuffle_files=False,
    )
    for row in rows.as_numpy_iterator():
        labels = np.atleast_1d(value(row, dataset.label_key)).tolist()
        if confidence_key:
            labels = tfds_features.certain(labels, value(row, confidence_key).tolist(), dataset.min_confidence)
        yield LabelledImage(
            image=row[dataset.image_key],
            labels=tuple(dict.fromkeys(labels)),  # each once: an image may have several objects of a kind
            source_id=_text(row[dataset.id_key]) if dataset.id_key else None,
        )


def _confidence_key(dataset: TfdsDataset, info: tfds.core.DatasetInfo) -> str | None:
    """Returns the key of the labels' confidences, or None.

    Raises:
      ValueError: there are some and no least was given, which would count labels known not to be there; or the reverse.
    """
    key = tfds_features.confidence_key(info.features, dataset.label_key)
    if (key is None) != (dataset.min_confidence is None):
        way_out = f"there is {key!r}, set it to the least that counts" if key else "there is none here, leave it out"
        raise ValueError(
            f"min_confidence: {dataset.min_confidence} for {dataset.label_key!r} of {dataset.name!r}; {way_out}"
        )
    return key


def _text(source_id: bytes | np.integer) -> str:
    return source_id.decode() if isinstance(source_id, bytes) else str(source_id)


def _builder(dataset: TfdsDataset) -> tfds.core.DatasetBuilder:
    if dataset.name in EMBEDDED:
        module, _, cls = EMBEDDED[dataset.name].rpartition(".")
        return getattr(importlib.import_module(module), cls)(data_dir=dataset.data_dir)
    try:
        return tfds.builder(dataset.name, data_dir=dataset.data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        name = re.split("[/:]", dataset.name)[0]  # without its configuration and version
        near = difflib.get_close_matches(name, [*EMBEDDED, *tfds.list_builders()], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"embedded ones are {', '.join(EMBEDDED)}"
        where = f", nor is it in {dataset.data_dir}" if dataset.data_dir else ""
        raise ValueError(f"dataset: {dataset.name!r} is not a TFDS data set{where}; {hint}") from error
    except (AssertionError, ValueError) as error:
        # No such version or config, or not a name at all: the first line says which, the rest explains at length.
        raise ValueError(f"dataset: {dataset.name!r} cannot be opened: {str(error).splitlines()[0]}") from error


def _prepared(dataset: TfdsDataset) -> tfds.core.DatasetBuilder:
    builder = _builder(dataset)
    if not builder.is_prepared():
        raise ValueError(
            f"dataset: {dataset.name!r} is not prepared in {builder.data_dir}; "
            f"run `tfds build {dataset.name}` or set data_dir"
        )
    return builder


def _feature(dataset: TfdsDataset, info: tfds.core.DatasetInfo, argument: str) -> tfds.features.FeatureConnector:
    key = getattr(dataset, argument)
    try:
        return tfds_features.find(info.features, key)
    except KeyError as error:
        keys = ", ".join(tfds_features.keys(info.features))
        raise ValueError(f"{argument}: {dataset.name!r} has no feature {key!r}; it has {keys}") from error
