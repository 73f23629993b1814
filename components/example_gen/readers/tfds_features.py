"""Features of a TFDS data set by their keys: 'label', or 'objects/label' for the label of each of its objects.

Some data sets say of each label how sure they are of it: Open Images has a `confidence` beside it, which is 0 for what
people have looked for in the image and not found.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import tensorflow as tf
import tensorflow_datasets as tfds

_CONFIDENCE = "confidence"
_AT_ONCE = 16  # examples; each may have a large image
Label = TypeVar("Label")


def feature_path(features: tfds.features.FeaturesDict, key: str) -> tuple[str, ...]:
    """Returns ('a', 'b') for the b of a feature a, and (key,) for a feature whose own name it is, slash or not."""
    outer, _, inner = key.partition("/")
    nested = key not in features and inner and outer in features and _is_dict(_inner(features[outer]))
    return (outer, inner) if nested else (key,)


def find_feature(features: tfds.features.FeaturesDict, key: str) -> tfds.features.FeatureConnector:
    """Returns the feature of `key`.

    Raises:
      KeyError: there is none.
    """
    found = features
    for name in feature_path(features, key):
        found = _inner(found)[name]
    return found


def feature_keys(features: tfds.features.FeaturesDict) -> list[str]:
    """Returns the keys that there are, sorted."""
    found = []
    for name, feature in features.items():
        inner = _inner(feature)
        found += [f"{name}/{below}" for below in inner] if _is_dict(inner) else [name]
    return sorted(found)


def is_repeated(features: tfds.features.FeaturesDict, key: str) -> bool:
    """Returns whether an example may have several values of the feature `key`."""
    of_each = isinstance(features[feature_path(features, key)[0]], tfds.features.Sequence)
    return of_each or isinstance(find_feature(features, key), tfds.features.Sequence)


def confidence_key(features: tfds.features.FeaturesDict, label_key: str) -> str | None:
    """Returns the key of the confidences of the labels, or None."""
    outer, *below = feature_path(features, label_key)
    return f"{outer}/{_CONFIDENCE}" if below and _CONFIDENCE in _inner(features[outer]) else None


def partial_features(features: tfds.features.FeaturesDict, wanted: Sequence[str]) -> dict:
    """Returns the features of the keys `wanted`, as `tfds.decode.PartialDecoding` takes them."""
    found: dict[str, Any] = {}
    for key in wanted:
        outer, *below = feature_path(features, key)
        if below:
            found.setdefault(outer, {})[below[0]] = True
        else:
            found[outer] = True
    return found


def iterate_rows(rows: tf.data.Dataset) -> Iterator[dict[str, Any]]:
    """Yields the examples of `rows`, dicts of features, as NumPy values."""
    if not all(isinstance(spec, tf.TensorSpec) and spec.shape.rank == 0 for spec in rows.element_spec.values()):
        yield from rows.as_numpy_iterator()
        return
    # A step of a data set costs more than a small image does.
    for batch in rows.batch(_AT_ONCE).as_numpy_iterator():
        for values in zip(*batch.values(), strict=True):
            yield dict(zip(batch, values, strict=True))


def confident_labels(labels: Sequence[Label], confidences: Sequence[float], least: float) -> list[Label]:
    """Returns those of `labels` that someone gives the confidence `least` or more, and nobody 0."""
    absent = {label for label, confidence in zip(labels, confidences, strict=True) if confidence == 0}
    pairs = zip(labels, confidences, strict=True)
    return [label for label, confidence in pairs if confidence >= least and label not in absent]


def _is_dict(feature) -> bool:
    return isinstance(feature, tfds.features.FeaturesDict)


def _inner(feature):
    return getattr(feature, "feature", feature)  # what a Sequence is of
