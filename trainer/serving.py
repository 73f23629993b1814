"""Export: the SavedModel for serving, and the Keras file that the next Trainer starts from."""

import os

import keras
import tensorflow as tf

from components.artifacts import model_labels
from components.artifacts.examples import IMAGE
from trainer.data.images import decode
from trainer.models.backbone import ImageConfig

KERAS_FILE = os.path.join("Format-Keras", "model.keras")
_TOP = 5


class ServingModule(tf.Module):
    """A classifier with image decoding and label names, so that a server needs nothing else.

    `loss` is the recipe's. With 'sigmoid' each label has an independent probability, and they do not sum to 1.

    Signatures, for any batch size B and K labels:
      serving_default: `examples` string [B], serialized `tf.train.Example`s → as `image_bytes`.
      image_bytes: `image_bytes` string [B], encoded JPEGs or PNGs → `probabilities` float32 [B, K] in the order of the
        vocabulary; `top_labels` string and `top_probabilities` float32 [B, min(5, K)], the most probable first.
      decode: `encoded` string [], a JPEG or PNG → `pixels` uint8 [size, size, channels], as the network sees it.
      features: `pixels` uint8 [B, size, size, channels] → `logits` float32 [B, K], `features` float32 [B, width].

    `decode` and `features` are the two halves of `image_bytes`, for batch jobs that decode while the network runs.
    """

    def __init__(self, model: keras.Model, image: ImageConfig, label_names: tuple[str, ...], loss: str = "softmax"):
        super().__init__()
        self._activation = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}[loss]
        # As an attribute, the model would be tracked twice, and TensorFlow Serving, which restores by name, would not
        # find some of its variables.
        self._variables = [variable.value for variable in model.variables]
        self._network = lambda pixels: _select_outputs(model(pixels, training=False))
        self._image = image
        self._label_names = tf.constant(label_names)

    def concrete_signatures(self) -> dict:
        """The signatures, as `tf.saved_model.save` takes them."""
        strings = tf.TensorSpec([None], tf.string)
        pixels = self._pixels_spec()
        return {
            "serving_default": tf.function(self._examples).get_concrete_function(examples=strings),
            "image_bytes": tf.function(self._classify).get_concrete_function(image_bytes=strings),
            "decode": tf.function(self._decode).get_concrete_function(encoded=tf.TensorSpec([], tf.string)),
            "features": tf.function(self._features).get_concrete_function(
                pixels=tf.TensorSpec([None, *pixels.shape], pixels.dtype)
            ),
        }

    def _pixels_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([self._image.size, self._image.size, self._image.channels], tf.uint8)

    def _examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        row = tf.io.parse_example(examples, {IMAGE: tf.io.FixedLenFeature([], tf.string)})
        return self._classify(row[IMAGE])

    def _classify(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = tf.map_fn(
            lambda encoded: decode(encoded, self._image), image_bytes, fn_output_signature=self._pixels_spec()
        )
        probabilities = self._activation(self._features(pixels)["logits"])
        top = tf.math.top_k(probabilities, min(_TOP, len(self._label_names)))
        return {
            "probabilities": probabilities,
            "top_labels": tf.gather(self._label_names, top.indices),
            "top_probabilities": top.values,
        }

    def _decode(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"pixels": decode(encoded, self._image)}

    def _features(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._network(pixels)


def _select_outputs(outputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    # The auxiliary head is for training only.
    return {name: outputs[name] for name in ("logits", "features")}


def export(
    model: keras.Model,
    image: ImageConfig,
    label_names: tuple[str, ...],
    *,
    loss: str = "softmax",
    saved_model: str,
    keras_file: str,
) -> None:
    """Writes the SavedModel, with the label names in it, and the Keras file."""
    module = ServingModule(model, image, label_names, loss)
    tf.saved_model.save(module, saved_model, signatures=module.concrete_signatures())
    model_labels.write(saved_model, label_names)
    tf.io.gfile.makedirs(os.path.dirname(keras_file))
    model.save(keras_file)
