"""Measures a network's throughput on this machine with a few steps on noise, for estimates before a run."""

import dataclasses
import time

import keras
import numpy as np
import tensorflow as tf

from trainer.loop import fit
from trainer.loop.distribution import make_strategy
from trainer.loop.history import merge
from trainer.models import classifier
from trainer.models.backbone import Backbone, ImageConfig
from trainer.recipes import Compute, Recipe

_STEPS = 6  # the first one traces the network and is not counted
# In one step on one replica: enough to keep it busy, and far too few to fill its memory.
_PIXELS = {"CPU": 1 << 18, "GPU": 1 << 22}


@dataclasses.dataclass(frozen=True)
class Throughput:
    """The throughput and the size of a network.

    Attributes:
      training_images_per_second: of all replicas together.
      prediction_images_per_second: of one replica.
      parameters: number of parameters, head included.
      features: width of the embeddings.
      batch_size: of the timed steps.
      replicas: number of replicas that trained together.
    """

    training_images_per_second: float
    prediction_images_per_second: float
    parameters: int
    features: int
    batch_size: int
    replicas: int


def measure_throughput(
    backbone: Backbone, image: ImageConfig, recipe: Recipe, compute: Compute, num_labels: int
) -> Throughput:
    """Times a few training steps by `recipe`, with smaller batches, and predictions. The time of input is not included.

    Raises:
      ValueError: the hardware that `compute` names is missing.
    """
    strategy = make_strategy(compute.distribution)
    replicas = strategy.num_replicas_in_sync
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    replica_batch = min(max(1, recipe.batch_size // replicas), max(1, _PIXELS[kind] // image.size**2))
    shape = (replica_batch, image.size, image.size, image.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8).astype(np.float32)
    batch = (
        images,
        np.zeros((replica_batch, 1), np.int64),
        np.ones((replica_batch, 1), np.float32),
        np.ones(replica_batch, np.float32),
    )
    of_time = {"steps": _STEPS, "batch_size": replica_batch * replicas, "evaluate": None, "export": "last"}
    timed_recipe = recipe.model_copy(update=of_time)
    model, history = fit.fit(
        lambda: classifier.build(backbone.build(image), num_labels, dropout=recipe.dropout),
        lambda step, context: tf.data.Dataset.from_tensors(batch).repeat(),
        timed_recipe,
        strategy,
        compute=compute,
    )
    return Throughput(
        training_images_per_second=merge(history[1:], history[0].step).images_per_second,
        prediction_images_per_second=replica_batch / _prediction_seconds(model, images),
        parameters=model.count_params(),
        features=model.output["features"].shape[-1],
        batch_size=timed_recipe.batch_size,
        replicas=replicas,
    )


def _prediction_seconds(model: keras.Model, images: np.ndarray) -> float:
    predict = tf.function(lambda batch: model(batch, training=False)["logits"])
    batch = tf.constant(images)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        predict(batch).numpy()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
