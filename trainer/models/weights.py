"""Weights from files: of Keras' own formats, of keras.applications and of keras-hub's presets.

A file is loaded as a whole, except for the head of a classifier above the features, or not at all.
"""

import contextlib
import os
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator

import h5py
import keras
import numpy as np
import tensorflow as tf

from trainer.models import applications, classifier

_IN_FOLDER = "model.weights.h5"  # of a .keras file, which is an archive, and of a preset of keras-hub
_CLASSIFIER = "task.weights.h5"
_NOT_LAYERS = frozenset({"optimizer", "loss_tracker", "_loss_tracker", "compile_metrics", "_compile_metrics"})
_FORMATS = "give a .weights.h5, .keras or .h5 file that Keras wrote, or the folder of a keras-hub preset"


def load_backbone_weights(backbone: keras.Model, path: str) -> None:
    """Fills a backbone with the weights of a file.

    Args:
      backbone: as `Backbone.build` returns it. After an error its weights are undefined.
      path: a `.weights.h5` or `.keras` file of the backbone, of the network inside, or of a classifier around one of
        them; an `.h5` file of keras.applications, with or without its head; or the folder of a keras-hub preset. May
        be remote.

    Raises:
      ValueError: there is no such file, or it has the weights of another network.
    """
    with open_weights(path) as file:
        for model in (network_of(backbone), backbone):
            if file.classes_above(model) is not None and file.load(model, whole=False):
                return
        classes = file.classes_above(backbone)
        if classes and file.load(classifier.build(backbone, classes)):
            return
        if not file.load_inside(network_of(backbone)):
            raise file.refusal(backbone)


def network_of(backbone: keras.Model) -> keras.Model:
    """Returns the network inside a backbone, without preprocessing; the backbone itself if it is all in one."""
    inside = [layer for layer in backbone.layers if isinstance(layer, keras.Model)]
    return inside[0] if len(inside) == 1 else backbone


@contextlib.contextmanager
def open_weights(path: str, *, head: bool = False) -> Iterator["WeightsFile"]:
    """Opens a file of weights for reading.

    Args:
      path: as `load_backbone_weights` takes it.
      head: whether, of a preset of keras-hub, the classifier is read, if it has one.

    Raises:
      ValueError: there is none, or it is of another format.
    """
    with tempfile.TemporaryDirectory() as folder:
        local = os.path.join(folder, _IN_FOLDER)  # by the ending Keras tells its formats apart
        _fetch(path, local, [_CLASSIFIER, _IN_FOLDER] if head else [_IN_FOLDER])
        if not h5py.is_hdf5(local):
            raise ValueError(f"weights: {path!r} is not a file of weights; {_FORMATS}")
        with _open(path, local) as file:
            # Keras 2 kept the weights by layer, and so does keras.applications; its whole models have them in a group.
            group = file.get("model_weights", file)
            yield _ByLayer(path, group) if _has_layers(group) else _ByPath(path, local, file)


def _open(path: str, local: str) -> h5py.File:
    try:
        return h5py.File(local, "r")
    except OSError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"weights: {path!r} cannot be read: {reason}; copy the whole file again") from error


def _fetch(path: str, local: str, names: list[str]) -> None:
    """Makes the HDF5 file of `path`, or the first of `names` in that folder, available as `local`."""
    is_folder = tf.io.gfile.isdir(path)
    sources = [os.path.join(path, name) for name in names] if is_folder else [path]
    source = next(filter(tf.io.gfile.exists, sources), None)
    if source is None:
        what = f"is a folder without {_IN_FOLDER}" if is_folder else "does not exist"
        raise ValueError(f"weights: {path!r} {what}; {_FORMATS}")
    if "://" in source:
        tf.io.gfile.copy(source, local)
    else:
        os.symlink(os.path.abspath(source), local)
    if zipfile.is_zipfile(local):
        with zipfile.ZipFile(local) as archive:
            if _IN_FOLDER not in archive.namelist():
                raise ValueError(f"weights: {path!r} is an archive without {_IN_FOLDER}; {_FORMATS}")
            extracted = archive.extract(_IN_FOLDER, f"{local}.extracted")
        os.replace(extracted, local)


class WeightsFile:
    """A file of weights, of either layout.

    Args:
      path: what the user gave.
      weights: the arrays in it.
      normalization: those of them that are the mean and the variance of images, by their last names.
    """

    def __init__(self, path: str, weights: list[h5py.Dataset], normalization: dict[str, h5py.Dataset]):
        self.path = path
        self._weights = weights
        self._shapes = Counter(weight.shape for weight in weights)
        self._normalization = normalization

    def load(self, model: keras.Model, *, whole: bool = True) -> bool:
        """Fills a model with the weights.

        Args:
          model: the model.
          whole: whether the file may have nothing else. If not, it may have the head of a classifier.

        Returns:
          Whether the file is of this model; if not, the model's weights are undefined.
        """
        if self.classes_above(model) != 0 and (whole or self.classes_above(model) is None):
            return False
        if not self._load(model):
            return False
        self._check_normalization()
        return True

    def load_inside(self, model: keras.Model) -> bool:
        """Fills a model with the weights of one that the file's model has inside, as `load` does."""
        return False

    def classes_above(self, model: keras.Model) -> int | None:
        """Returns the number of classes of the head that the file has besides the weights of `model`.

        0: it has no head. None: it is not of this model.
        """
        own = _count(model)
        if own - self._shapes:
            return None
        rest = self._shapes - own
        if len(self._normalization) == 2 and rest[(3,)] >= 2:
            rest -= Counter({(3,): 2})
        if not rest:
            return 0
        found = [_pop_head(rest, output.shape[-1]) for output in model.outputs]
        return found[0] if all(found) and not +rest else None

    def lone_head(self, width: int) -> list[np.ndarray] | None:
        """Returns kernel and bias, if the file has nothing but a dense head on features of this width; else None."""
        weights = sorted(self._weights, key=lambda weight: -len(weight.shape))
        if [len(weight.shape) for weight in weights] != [2, 1] or weights[0].shape != (width, *weights[1].shape):
            return None
        return [weight[()] for weight in weights]

    def refusal(self, model: keras.Model) -> ValueError:
        """Returns the error that the file is not of this model."""
        network = network_of(model)
        return ValueError(
            f"weights: {self.path!r} has {_describe(self._shapes)}, but {network.name} has "
            f"{_describe(_count(network))}; give a file of this network, of "
            "the same options and size of the images, or name the file's network as the backbone"
        )

    def _load(self, model: keras.Model) -> bool:
        raise NotImplementedError

    def _check_normalization(self) -> None:
        """The published EfficientNets have the standard deviation for its square; Keras corrects that elsewhere."""
        if not self._normalization:
            return
        mean, variance = (np.asarray(self._normalization[name]) for name in ("mean", "variance"))
        expected = (np.array(applications.MEAN), np.array(applications.STANDARD_DEVIATION))
        if not all(np.allclose(*pair, atol=1e-3) for pair in zip((mean, variance), expected, strict=True)):
            raise ValueError(
                f"weights: {self.path!r} were trained on images normalised by a mean of {mean.tolist()} and a variance "
                f"of {variance.tolist()}, not as the published network's; give published weights, or build this "
                "network by a backbone.function"
            )


class _ByPath(WeightsFile):
    """The layout of Keras 3: by the place of each layer in the model."""

    def __init__(self, path: str, local: str, file: h5py.File):
        found: dict[str, h5py.Dataset] = {}
        file.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
        weights = {
            name: item
            for name, item in found.items()
            if item.dtype.kind == "f" and name.partition("/")[0] not in _NOT_LAYERS
        }
        adapted = [name.removesuffix("/2") for name in found if name.endswith("layers/normalization/vars/2")]
        row = {"mean": found[f"{adapted[0]}/0"], "variance": found[f"{adapted[0]}/1"]} if adapted else {}
        super().__init__(path, list(weights.values()), row)
        self._local = local
        self._file = file

    def load_inside(self, model: keras.Model) -> bool:
        for name, group in self._file.get("layers", {}).items():
            if "layers" not in group:
                continue
            # Keras reads from files only. The image encoder of SigLIP is half of the file.
            local = f"{self._local}.{name}.{_IN_FOLDER}"
            with h5py.File(local, "w") as file:
                for item in group.values():
                    group.copy(item, file)
            with h5py.File(local, "r") as file:
                if _ByPath(self.path, local, file).load(model):
                    return True
        return False

    def _load(self, model: keras.Model) -> bool:
        try:
            # These have constants here, and in files of keras.applications weights, which are checked.
            model.load_weights(self._local, objects_to_skip=list(_normalizations(model)))
        except (ValueError, KeyError):
            return False
        return True


class _ByLayer(WeightsFile):
    """The layout of Keras 2: the layers that have weights, in the model's order."""

    def __init__(self, path: str, group: h5py.Group):
        self._layers: list[list[h5py.Dataset]] = []
        normalization: dict[str, h5py.Dataset] = {}
        for layer in _names(group, "layer_names"):
            weights = {name: group[layer][name] for name in _names(group[layer], "weight_names")}
            last = {name.rpartition("/")[2].partition(":")[0]: weight for name, weight in weights.items()}
            if last.keys() == {"mean", "variance", "count"}:
                normalization = last
            elif weights:
                self._layers.append(list(weights.values()))
        super().__init__(path, [weight for weights in self._layers for weight in weights], {})
        self._normalization = normalization

    def _load(self, model: keras.Model) -> bool:
        layers = [layer.trainable_weights + layer.non_trainable_weights for layer in model.layers if layer.weights]
        pairs = list(zip(layers, self._layers, strict=False))  # beyond them stands a head
        if len(pairs) < len(layers) or any(_shapes(own) != _shapes(found) for own, found in pairs):
            return False
        for own, found in pairs:
            for variable, values in zip(own, found, strict=True):
                variable.assign(values[()])
        return True


def _normalizations(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yields the layers of a model that normalise by constants."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _normalizations(layer)
        elif isinstance(layer, keras.layers.Normalization) and layer.input_mean is not None:
            yield layer


def _has_layers(group: h5py.Group) -> bool:
    return "layer_names" in group.attrs or "layer_names0" in group.attrs


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Returns the names in an attribute, which is in several parts if it is long."""
    parts = [attribute] if attribute in group.attrs else [f"{attribute}{i}" for i in range(len(group.attrs))]
    names = [name for part in parts if part in group.attrs for name in group.attrs[part]]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _shapes(weights: list) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in weights]


def _pop_head(rest: Counter[tuple[int, ...]], width: int) -> int | None:
    """Removes the shapes of a head on features of this width from `rest`.

    A head is one or more dense layers or 1×1 convolutions with biases; the first may see several positions (VGG).

    Returns:
      The number of its classes. None: there is no head.
    """
    classes = None
    while True:
        kernels = [
            shape
            for shape in +rest
            if len(shape) in (2, 4)
            and shape[:-2] in ((), (1, 1))
            and (shape[-2] == width or (classes is None and shape[-2] % width == 0))
            and rest[shape[-1:]]
        ]
        if not kernels:
            return classes
        # A square one has another one after it.
        kernel = max(kernels, key=lambda shape: (shape[-2] == width, shape[-1] == width))
        rest -= Counter([kernel, kernel[-1:]])
        classes = width = kernel[-1]


def _count(model: keras.Model) -> Counter[tuple[int, ...]]:
    """Returns how often a shape occurs; of what is no float, such as positions and states of generators, none does."""
    return Counter(tuple(weight.shape) for weight in model.weights if "float" in weight.dtype)


def _describe(shapes: Counter[tuple[int, ...]]) -> str:
    numbers = sum(int(np.prod(shape)) * count for shape, count in shapes.items())
    return f"{numbers:,} numbers in {shapes.total()} weights"
