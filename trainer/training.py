"""The one training loop, for pre-training and fine-tuning, under any distribution strategy."""

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer import metrics, progress
from trainer.recipes import Recipe
from trainer.schedules import RampThenCosine

_REPORT_SECONDS = 1.0
_AUXILIARY_WEIGHT = 0.4  # of an auxiliary head's cross entropy, as AmoebaNet is published


def fit(
    make_model: Callable[[], keras.Model],
    batches: tf.data.Dataset,
    recipe: Recipe,
    strategy: tf.distribute.Strategy,
) -> tuple[keras.Model, list[progress.Progress]]:
    """Trains a model for `recipe.steps` steps.

    Args:
      make_model: returns a model as `trainer.models.classifier.build` makes it; called in the strategy's scope.
      batches: endless (images, labels, weights) batches of the global size `recipe.batch_size`.
      recipe: how to train.
      strategy: where to train.

    Returns:
      The trained model, and the history of its training.

    Raises:
      FloatingPointError: the loss is not a finite number any more.
    """
    with strategy.scope():
        model = make_model()
        # A share below 1 of a few steps rounds up to all of them: at least one is left to decay.
        ramp_steps = min(round(recipe.warmup * recipe.steps), recipe.steps - 1)
        schedule = RampThenCosine(recipe.learning_rate, ramp_steps, recipe.steps)
        optimizer = keras.optimizers.SGD(schedule, momentum=recipe.momentum, nesterov=recipe.nesterov)
        optimizer.build(model.trainable_variables)
    replica_step = _replica_step(model, optimizer, recipe, strategy)
    # What follows the training's progress, as `trainer.models.amoebanet.DropPath` does, has a variable of this name.
    followers = [variable for variable in model.non_trainable_variables if variable.name == "training_progress"]

    @tf.function
    def run(iterator, steps: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(steps):
            for follower in followers:
                follower.assign(tf.cast(optimizer.iterations.value, tf.float32) / recipe.steps)
            losses = strategy.run(replica_step, args=next(iterator))
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return total / tf.cast(steps, tf.float32)

    iterator = iter(strategy.experimental_distribute_dataset(batches))
    history: list[progress.Progress] = []
    done, chunk = 0, 1
    while done < recipe.steps:
        chunk = min(chunk, recipe.steps - done)
        start = time.perf_counter()
        loss = float(run(iterator, tf.constant(chunk)))
        seconds = time.perf_counter() - start
        done += chunk
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"the loss became {loss} by step {done}, at a learning rate of {float(schedule(done)):.4g}; "
                "lower learning_rate, lengthen warmup or set clip_norm"
            )
        history.append(progress.Progress(done, recipe.steps, loss, chunk * recipe.batch_size / seconds))
        progress.report(history[-1])
        # As many steps in one call as fit between two reports: Python then costs nothing, and the display stays alive.
        chunk = max(1, min(2 * chunk, int(chunk * _REPORT_SECONDS / seconds)))
    return model, history


def evaluate(model: keras.Model, batches: tf.data.Dataset) -> metrics.Metrics:
    """Returns the metrics of `model` over all examples of `batches`.

    Raises:
      ValueError: there is no example, or `trainer.metrics.compute` refuses.
    """

    @tf.function(reduce_retracing=True)
    def predict(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)["logits"]

    outputs = [(predict(x).numpy(), y.numpy()) for x, y in batches]
    if not outputs:
        raise ValueError("batches: there is no example in them to evaluate on")
    logits, labels = zip(*outputs, strict=True)
    return metrics.compute(np.concatenate(logits), np.concatenate(labels))


def kernels(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables that weight decay touches: kernels, not biases, not normalisation."""
    return [variable for variable in model.trainable_variables if variable.path.rsplit("/", 1)[-1].endswith("kernel")]


def _replica_step(model, optimizer, recipe: Recipe, strategy: tf.distribute.Strategy) -> Callable:
    decayed = kernels(model)
    replicas = strategy.num_replicas_in_sync

    def replica_step(images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            losses = _cross_entropy(labels, outputs["logits"], recipe.label_smoothing)
            if "auxiliary_logits" in outputs:
                losses += _AUXILIARY_WEIGHT * _cross_entropy(
                    labels, outputs["auxiliary_logits"], recipe.label_smoothing
                )
            loss = tf.reduce_sum(weights * losses) / recipe.batch_size
            if recipe.l2:
                # Once, not once a replica: the replicas' gradients are summed.
                loss += recipe.l2 / replicas * tf.add_n([2 * tf.nn.l2_loss(kernel.value) for kernel in decayed])
        gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm)
        # The optimiser sums over the replicas too, but only after its own clipping: it gets equal parts of the sum.
        optimizer.apply([gradient / replicas for gradient in gradients], model.trainable_variables)
        return loss

    return replica_step


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    classes = logits.shape[-1]
    targets = tf.one_hot(labels, classes, on_value=1 - smoothing + smoothing / classes, off_value=smoothing / classes)
    return tf.nn.softmax_cross_entropy_with_logits(targets, logits)
