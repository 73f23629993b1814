"""Export: the SavedModel for serving, and the Keras file that the next Trainer starts from."""

import dataclasses
import os
import types
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from components.artifacts import model_images, model_labels
from components.artifacts.examples import IMAGE
from components.deep_images import Scale16Bit
from trainer.data import formats, orientation
from trainer.data.branches import set_apart
from trainer.data.images import decode, decode_common
from trainer.models.backbone import ImageConfig

KERAS_FILE = os.path.join("Format-Keras", "model.keras")
_TOP = 5


@dataclasses.dataclass(frozen=True)
class Network:
    """A classifier, whatever it was made with.

    Attributes:
      call: pixels uint8 [B, size, size, channels] → `logits` float32 [B, K], and `features` float32 [B, width] unless
        the network does not tell them. It is called while a graph is traced.
      variables: what `call` needs, as an attribute of a `tf.Module`: a list of variables, or an object that tracks
        them.
      save: writes the Keras network to a path; None: it is not one of Keras.
    """

    call: Callable[[tf.Tensor], dict[str, tf.Tensor]]
    variables: Any
    save: Callable[[str], None] | None = None


def network_of(model: keras.Model) -> Network:
    """Returns the network of a model that gives `logits` and `features`."""
    # The model itself would be tracked twice, and TensorFlow Serving, which restores by name, would not find some of
    # its variables.
    variables = [variable.value for variable in model.variables]
    return Network(lambda pixels: _select_outputs(model(pixels, training=False)), variables, model.save)


class ServingModule(tf.Module):
    """A classifier with image decoding and label names, so that a server needs nothing else.

    `model` is a Keras model that gives `logits` and `features`, or a Network. `activation` is the recipe's. With
    'sigmoid' each label has an independent probability, and they do not sum to 1.
    `scale_16_bit` is that of the data: what becomes of images of 16 bits.

    Signatures, for any batch size B and K labels:
      serving_default: `examples` string [B], serialized `tf.train.Example`s → as `image_bytes`.
      image_bytes: `image_bytes` string [B], JPEGs, PNGs, GIFs or BMPs as users have them → `probabilities` float32
        [B, K] in the order of the vocabulary; `top_labels` string and `top_probabilities` float32 [B, min(5, K)], the
        most probable first. Fails if one cannot be decoded, and names its place in the batch.
      decode: `encoded` string [], such an image → `pixels` uint8 [size, size, channels], as the network sees it.
      features: `pixels` uint8 [B, size, size, channels] → `logits` float32 [B, K]; and `features` float32 [B, width],
        unless the network does not tell them.

    `decode` and `features` are the two halves of `image_bytes`, for batch jobs that decode while the network runs.
    """

    def __init__(
        self,
        model: keras.Model | Network,
        image: ImageConfig,
        label_names: tuple[str, ...],
        activation: str = "softmax",
        scale_16_bit: Scale16Bit = "max",
    ):
        super().__init__()
        self._activation = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}[activation]
        network = model if isinstance(model, Network) else network_of(model)
        self._variables = network.variables
        self._save = network.save
        self._image = image
        self._scale_16_bit = scale_16_bit
        self._label_names = tf.constant(label_names)
        pixels = self._pixels_spec()
        # Each is traced once, and all signatures call the same graphs. As attributes of the module itself they would be
        # traced again to be saved, and saved twice.
        self._graphs = types.SimpleNamespace()
        self._graphs.features = tf.function(
            network.call,
            input_signature=[tf.TensorSpec([None, *pixels.shape], pixels.dtype, name="pixels")],
            autograph=False,
        )
        encoded = tf.TensorSpec([], tf.string, name="encoded")
        decode_any = lambda encoded: decode(formats.as_stored(encoded, scale_16_bit), image)  # noqa: E731
        self._graphs.decode_apart = set_apart(decode_any, [encoded])
        self._graphs.decode = tf.function(
            lambda encoded: {"pixels": self._graphs.decode_apart(encoded)}, input_signature=[encoded], autograph=False
        )
        self._graphs.classify = tf.function(
            self._classify_images,
            input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")],
            autograph=False,
        )

    def features(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns what the signature of this name does."""
        return self._graphs.features(pixels)

    def concrete_signatures(self) -> dict:
        """The signatures, as `tf.saved_model.save` takes them."""
        strings = tf.TensorSpec([None], tf.string)
        return {
            "serving_default": tf.function(self._examples, autograph=False).get_concrete_function(examples=strings),
            "image_bytes": self._graphs.classify.get_concrete_function(),
            "decode": self._graphs.decode.get_concrete_function(),
            "features": self._graphs.features.get_concrete_function(),
        }

    def export(self, *, saved_model: str | None = None, keras_file: str | None = None) -> None:
        """Writes the SavedModel, with the label names in it, and the Keras file, from which another training starts.

        Args:
          saved_model: a folder; None: no SavedModel is written.
          keras_file: a path; None, or a network that is not one of Keras: no Keras file is written.
        """
        if saved_model is not None:
            tf.saved_model.save(self, saved_model, signatures=self.concrete_signatures())
            model_labels.write(saved_model, [name.decode() for name in self._label_names.numpy()])
            model_images.write(saved_model, self._scale_16_bit)
        if keras_file is not None and self._save is not None:
            tf.io.gfile.makedirs(os.path.dirname(keras_file))
            self._save(keras_file)

    def _pixels_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([self._image.size, self._image.size, self._image.channels], tf.uint8)

    def _examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        row = tf.io.parse_example(examples, {IMAGE: tf.io.FixedLenFeature([], tf.string)})
        return self._graphs.classify(row[IMAGE])

    def _classify_images(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._activation(self.features(self.decode_batch(image_bytes))["logits"])
        top = tf.math.top_k(probabilities, min(_TOP, len(self._label_names)))
        return {
            "probabilities": probabilities,
            "top_labels": tf.gather(self._label_names, top.indices),
            "top_probabilities": top.values,
        }

    def decode_batch(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns the pixels, uint8 [B, size, size, channels], of encoded images, string [B].

        Raises:
          tf.errors.InvalidArgumentError: some cannot be decoded; it names their places in the batch.
        """
        # As data sets, which tell what fails from what does not. All images are tried together, which is faster than
        # one by one; the second data set is read only if that fails.
        batch = tf.data.Dataset.from_tensors((encoded, orientation.is_without_exif(encoded)))
        decoded = batch.map(
            lambda encoded, upright: decode_common(encoded, upright, self._image, self._graphs.decode_apart)
        ).ignore_errors()
        each = batch.map(lambda encoded, _: self._decode_each(encoded))
        pixels = decoded.concatenate(each).take(1).get_single_element()
        return tf.ensure_shape(pixels, [None, *self._pixels_spec().shape])

    def _decode_each(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decodes a batch one by one, and names the places of those that fail."""
        count = tf.size(encoded)
        spec = self._pixels_spec()
        images = tf.data.Dataset.from_tensor_slices((tf.range(count), encoded))
        decoded = images.map(lambda number, one: (number, self._graphs.decode_apart(one))).ignore_errors()
        none = tf.data.Dataset.from_tensors((-1, tf.zeros(spec.shape, spec.dtype)))  # an element there has to be
        numbers, pixels = decoded.concatenate(none).batch(tf.cast(count, tf.int64) + 1).get_single_element()
        missing, _ = tf.unique(tf.sets.difference(tf.range(count)[None], numbers[None]).values)
        message = "image_bytes: no JPEG, PNG, GIF or BMP that can be decoded at these places of the batch, from 0"
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(tf.size(missing), 0), [message, missing])]):
            return pixels[:-1]


def _select_outputs(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    # The auxiliary head is for training only.
    return {name: outputs[name] for name in ("logits", "features") if name in outputs}
