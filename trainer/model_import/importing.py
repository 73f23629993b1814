"""Makes a model from elsewhere the artifact that a Trainer would have written."""

import os

import keras
import numpy as np
import tensorflow as tf
from tfx.utils import path_utils

from components.artifacts import label_map, model_labels
from trainer import serving
from trainer.model_import import conversions, keras_file, label_files, saved_model
from trainer.model_import.opened import Opened, make_noise
from trainer.model_import.settings import PublishedBackbone, PublishedClassifier, SavedClassifier, path_of
from trainer.models import classifier, published
from trainer.models.weights import load_backbone_weights


def import_backbone(settings: PublishedBackbone, folder: str) -> None:
    """Writes a Keras file whose layer 'backbone' has the published weights; its head is of no use.

    Raises:
      ValueError: the weights are of another network.
    """
    backbone = settings.backbone.build(settings.image)
    load_backbone_weights(backbone, settings.weights)
    outputs = keras.tree.flatten(backbone(make_noise(settings.image), training=False))
    conversions.check_finite(np.concatenate([output.numpy() for output in outputs], axis=1), settings.weights)
    path = os.path.join(folder, serving.KERAS_FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    classifier.build(backbone, 1).save(path)


def import_classifier(settings: SavedClassifier | PublishedClassifier, folder: str) -> None:
    """Writes the SavedModel of a classifier with its labels and what they stand for, and the Keras file if it has one.

    Raises:
      ValueError: there is no such model, or what the settings say of it is not so.
    """
    serving_dir = path_utils.serving_model_dir(folder)
    labels = label_files.read_labels(settings)
    if isinstance(settings, SavedClassifier) and not settings.is_keras_file:
        loaded = saved_model.load(settings.model)
        if names := saved_model.read_own_labels(loaded, settings.model):
            saved_model.check_own(loaded, settings)
            pairs = label_files.read_pairs(settings, label_map.ClassifierLabels(names))
            _copy_folder(settings.model, serving_dir)
            model_labels.write_map(serving_dir, pairs)
            return
        labels = _require(labels, settings)
        opened = saved_model.open_saved_model(loaded, settings, len(labels.names))
    elif isinstance(settings, SavedClassifier):
        labels, opened = _require(labels, settings), keras_file.open_keras_file(settings)
    else:
        labels = _require(labels, settings)
        model = published.load_classifier(settings.backbone, settings.image, len(labels.names), settings.weights)
        conversions.check_finite(model(make_noise(settings.image), training=False)["logits"].numpy(), settings.weights)
        opened = Opened(serving.network_of(model), settings.image, model.output["logits"].shape[1])
    pairs = label_files.read_pairs(settings, labels)
    if opened.num_outputs != len(labels.names):
        raise ValueError(
            f"labels: {settings.labels!r} has {len(labels.names):,} names, but {path_of(settings)!r} has "
            f"{opened.num_outputs:,} outputs; name the file that belongs to it"
        )
    module = serving.ServingModule(opened.network, opened.image, labels.names, settings.activation)
    module.export(saved_model=serving_dir, keras_file=os.path.join(folder, serving.KERAS_FILE))
    model_labels.write_map(serving_dir, pairs)


def _require(
    labels: label_map.ClassifierLabels | None, settings: SavedClassifier | PublishedClassifier
) -> label_map.ClassifierLabels:
    if labels is None:
        raise ValueError(f"labels: missing, and {path_of(settings)!r} has none in it; name a file with a label a line")
    return labels


def _copy_folder(source: str, destination: str) -> None:
    for folder, _, names in tf.io.gfile.walk(source):
        to = os.path.join(destination, os.path.relpath(folder, source))
        tf.io.gfile.makedirs(to)
        for name in names:
            tf.io.gfile.copy(os.path.join(folder, name), os.path.join(to, name), overwrite=True)
