"""How fast a network is on this machine, from some steps on noise: for estimates made before a run."""

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

_STEPS = 6  # the first of them traces the network, and does not count
# Of a step on a replica: enough to keep it busy, and far from what fills its memory.
_PIXELS = {"CPU": 1 << 18, "GPU": 1 << 22}


@dataclasses.dataclass(frozen=True)
class Throughput:
    """What was measured.

    Attributes:
      trained, predicted: images per second, of all replicas and of one.
      parameters: of the network with its head.
      features: width of its embeddings.
      batch_size: of the steps that were timed.
      replicas: how many trained together.
    """

    trained: float
    predicted: float
    parameters: int
    features: int
    batch_size: int
    replicas: int


def measure_throughput(
    backbone: Backbone, image: ImageConfig, recipe: Recipe, compute: Compute, num_labels: int
) -> Throughput:
    """Trains for some steps by `recipe`, with smaller batches, and predicts; input costs nothing here.

    Raises:
      ValueError: the hardware that `compute` asks for is not there.
    """
    strategy = make_strategy(compute.distribution)
    replicas = strategy.num_replicas_in_sync
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    each = min(max(1, recipe.batch_size // replicas), max(1, _PIXELS[kind] // image.size**2))
    shape = (each, image.size, image.size, image.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8).astype(np.float32)
    row = (images, np.zeros((each, 1), np.int64), np.ones((each, 1), np.float32), np.ones(each, np.float32))
    timed = recipe.model_copy(update={"steps": _STEPS, "batch_size": each * replicas})
    model, history = fit.fit(
        lambda: classifier.build(backbone.build(image), num_labels, dropout=recipe.dropout),
        lambda step, context: tf.data.Dataset.from_tensors(row).repeat(),
        timed,
        strategy,
        compute=compute,
    )
    return Throughput(
        trained=merge(history[1:], history[0].step).images_per_second,
        predicted=each / _prediction_seconds(model, images),
        parameters=model.count_params(),
        features=model.output["features"].shape[-1],
        batch_size=timed.batch_size,
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
