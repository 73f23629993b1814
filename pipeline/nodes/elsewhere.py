"""The node that imports a source classifier which exists already, and what is checked of it before anything runs."""

import json
import zipfile
from typing import Any

import tensorflow as tf

from components import storage
from components.artifacts import label_map, model_labels
from components.artifacts.vocabulary import Vocabulary
from components.prior_estimator import mapping
from components.prior_estimator.settings import EstimatorSettings
from pipeline.config.classifier import ImportedClassifier, ModelClassifier
from pipeline.config.run import Config
from trainer.model_import import label_files
from trainer.model_import.component import ModelImporter
from trainer.recipes import Recipe

_ARCHITECTURE = "config.json"  # of a .keras file
_BACKBONE = "backbone"  # the layer from which trainings start


def make_importer(config: Config, classifier: ImportedClassifier, source_labels: Vocabulary) -> ModelImporter:
    """Returns the node that imports the `classifier` of `config`.

    Args:
      config: the configuration.
      classifier: its classifier.
      source_labels: the labels of the source.

    Raises:
      ValueError: a file is missing, no label stands for one of the source, or an arm cannot start from the model. The
        message begins with the key.
    """
    try:
        fingerprint = _find_fingerprint(classifier)
        match = _match_labels(classifier, source_labels.names)
    except ValueError as error:
        raise ValueError(f"classifier.{error}") from error
    _check_priors(config, match, source_labels.names)
    if isinstance(classifier, ModelClassifier) and classifier.is_keras_file:
        _check_start(config, classifier)
    return ModelImporter(kind="classifier", settings=classifier.import_settings(config.image), fingerprint=fingerprint)


def read_counts(config: Config) -> dict[str, int]:
    """Returns label → number of its images, of a source of which that is all there is.

    Raises:
      ValueError: the counts, or the labels of the classifier, cannot be read; or there is a label that no label of the
        classifier stands for.
    """
    counts, classifier = config.counts, config.classifier
    if counts is None or isinstance(classifier, Recipe):
        raise ValueError("source.counts: is for a classifier that exists already; name its model or weights")
    labels = read_labels(classifier)
    try:
        pairs = label_files.read_pairs(classifier, labels)
    except ValueError as error:
        raise ValueError(f"classifier.{error}") from error
    found = counts.read(labels.names)
    names = list(found)
    try:
        unknown = label_map.match(labels.names, pairs, names).unmatched
    except ValueError as error:
        raise ValueError(f"source.counts: {counts.counts!r}: {error}") from error
    if len(unknown):
        shown = ", ".join(repr(names[i]) for i in unknown[:3])
        raise ValueError(
            f"source.counts: {counts.counts!r} has {len(unknown):,} label(s) that no label of the classifier stands "
            f"for ({shown}); those of the classifier are {', '.join(map(repr, labels.names[:3]))} and others: correct "
            "the counts, or set classifier.label_map"
        )
    return found


def _find_fingerprint(classifier: ImportedClassifier) -> str:
    key = "model" if isinstance(classifier, ModelClassifier) else "weights"
    found = []
    try:
        found.append(classifier.file.fingerprint())
        for key in ("labels", "label_map"):
            path = getattr(classifier, key)
            found.append(storage.find_sha256(path)[:16] if path else "")
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return "-".join(found)


def read_labels(classifier: ImportedClassifier) -> label_map.ClassifierLabels:
    """Returns the labels of a classifier that exists already.

    Raises:
      ValueError: there are none, or their file is missing or wrong.
    """
    try:
        return _read_labels(classifier)
    except ValueError as error:
        raise ValueError(f"classifier.{error}") from error


def has_other_labels(config: Config, source_labels: Vocabulary) -> bool:
    """Returns whether the classifier exists already, and has other labels than the source: its head is of no use.

    Labels of the same names that stand for others are other ones, too.
    """
    if config.trained_classifier is not None:
        return False
    assert isinstance(config.classifier, ImportedClassifier)
    names = read_labels(config.classifier).names
    match = _match_labels(config.classifier, source_labels.names)
    meant = [source_labels.names[position] for position in match.positions if position >= 0]
    return meant != list(names) or len(match.unmatched) > 0


def _read_labels(classifier: ImportedClassifier) -> label_map.ClassifierLabels:
    """Returns the labels of a classifier: those in its file of labels, or in the model."""
    labels = label_files.read_labels(classifier)
    if labels is None and isinstance(classifier, ModelClassifier):
        names = model_labels.read(classifier.model)
        labels = label_map.ClassifierLabels(names) if names else None
    if labels is None:
        raise ValueError(
            f"labels: missing, and {classifier.file.path!r} has none in it; name a file with a label a line"
        )
    return labels


def _match_labels(classifier: ImportedClassifier, source_labels: tuple[str, ...]) -> label_map.Match:
    """Returns which of the source's labels the classifier's stand for, as the PriorEstimator will see it."""
    labels = _read_labels(classifier)
    chosen = label_files.read_chosen(classifier, labels)
    try:
        label_map.check_sources(chosen, source_labels)
    except ValueError as error:
        raise ValueError(f"label_map: {classifier.label_map!r}: {error}") from error
    try:
        return label_map.match(labels.names, label_map.join(labels, chosen), source_labels)
    except ValueError as error:
        raise ValueError(f"labels: {error}") from error


def _check_priors(config: Config, match: label_map.Match, source_labels: tuple[str, ...]) -> None:
    """Checks that each way in which P_t is estimated can be, with labels that may lack some of the source's."""
    used = {"prior": config.prior}
    for target in config.targets.values():
        for name in target.arms:
            if config.arm(name).depends_on_target():
                used[f"arms.{name}"] = config.prior_of(name)
    for key, prior in used.items():
        settings = EstimatorSettings(
            estimator=prior.estimator, temperature=prior.temperature, activation=config.classifier.activation
        )
        if settings.needs_source:
            what = f"{key}.estimator: {prior.estimator!r} with temperature {settings.chosen_temperature!r}"
            mapping.check_complete(match, source_labels, what)


def _check_start(config: Config, classifier: ModelClassifier) -> None:
    """Checks that the arms that start from a .keras file can: it needs a backbone, which takes the run's images."""
    starting = [
        f"targets.{target}.arms.{i}: {name!r}"
        for target, settings in config.targets.items()
        for i, name in enumerate(settings.arms)
        if config.arm(name).start == "classifier"
    ]
    if not starting:
        return
    found = _read_input_shape(classifier.model)
    if found is None:
        raise ValueError(
            f"{starting[0]} starts from the classifier, but {classifier.model!r} has no layer {_BACKBONE!r}, as "
            "networks of this product have; name one of those, or leave the arm out"
        )
    expected = (config.image.size, config.image.size, config.image.channels)
    if found != expected:
        raise ValueError(
            f"{starting[0]} starts from the classifier, but the images of {classifier.model!r} are {found} (height, "
            f"width, channels), and image says {expected}; give both the same, or leave the arm out"
        )


def _read_input_shape(path: str) -> tuple[int, ...] | None:
    """Returns the images that the backbone of a .keras file takes; None: it has no backbone."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file, zipfile.ZipFile(file) as archive:
            content: dict[str, Any] = json.loads(archive.read(_ARCHITECTURE))
    except (zipfile.BadZipFile, KeyError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"classifier.model: {path!r} cannot be read: {error}; name a file that Keras 3 wrote"
        ) from error
    layers = content.get("config", {}).get("layers", ())
    backbone = next((layer for layer in layers if layer.get("config", {}).get("name") == _BACKBONE), None)
    if backbone is None:
        return None
    inputs = (layer["config"] for layer in backbone["config"].get("layers", ()) if layer["class_name"] == "InputLayer")
    shape = next((config.get("batch_shape") for config in inputs), None)
    return tuple(shape[1:]) if shape else None
