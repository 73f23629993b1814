"""The one training loop, for pre-training and fine-tuning, under any distribution strategy."""

import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from trainer import metrics, preemption, progress
from trainer.checkpoints import Checkpoints
from trainer.recipes import Recipe
from trainer.schedules import RampThenCosine

_REPORT_SECONDS = 1.0
_AUXILIARY_WEIGHT = 0.4  # of an auxiliary head's cross entropy, as AmoebaNet is published
_FEW = 5  # ids of examples in the line that says what went wrong; the others follow it


def fit(
    make_model: Callable[[], keras.Model],
    batches: Callable[[int], tf.data.Dataset],
    recipe: Recipe,
    strategy: tf.distribute.Strategy,
    *,
    checkpoints: Checkpoints | None = None,
    example_ids: Callable[[int], list[str]] = lambda step: [],
) -> tuple[keras.Model, list[progress.Progress]]:
    """Trains a model for `recipe.steps` steps, from its newest checkpoint on.

    On a CPU the weights are those of a training that was never interrupted, bit for bit. On a GPU that takes
    `tf.config.experimental.enable_op_determinism()` before.

    Args:
      make_model: returns a model as `trainer.models.classifier.build` makes it; called in the strategy's scope.
      batches: returns, for a number of steps done, the endless (images, labels, presence, weights) batches that follow;
        of the global size `recipe.batch_size`.
      recipe: how to train.
      strategy: where to train.
      checkpoints: of this training. Deleting them is up to the caller, once the model is in a safe place.
      example_ids: returns the ids of the batch that follows a number of steps; asked when the loss is not finite.

    Returns:
      The trained model, and the history of its training, the part before an interruption included.

    Raises:
      FloatingPointError: the loss, or a weight that was to be saved, is not a finite number any more.
      RuntimeError: there are checkpoints, and none can be read.
      trainer.preemption.Preempted: SIGTERM came; all steps done are in a checkpoint.
    """
    checkpoints = checkpoints or Checkpoints()
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
    def run(iterator, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total, finite = tf.constant(0.0), tf.constant(0)
        for _ in tf.range(steps):
            for follower in followers:
                follower.assign(tf.cast(optimizer.iterations.value, tf.float32) / recipe.steps)
            losses = strategy.run(replica_step, args=next(iterator))
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
            finite += tf.cast(tf.math.is_finite(total), tf.int32)
        return total / tf.cast(steps, tf.float32), finite

    def diverged(what: str, step: int) -> FloatingPointError:
        return _diverged(what, step, float(schedule(step - 1)), example_ids(step - 1), checkpoints.latest())

    history: list[progress.Progress] = []
    done, chunk = checkpoints.restore(model, optimizer, history), 1
    iterator = iter(strategy.experimental_distribute_dataset(batches(done)))
    with preemption.noticed() as preempted:
        while done < recipe.steps:
            chunk = min(chunk, recipe.steps - done, checkpoints.steps_to_next(done))
            start = time.perf_counter()
            loss, finite = (float(value) for value in run(iterator, tf.constant(chunk)))
            seconds = time.perf_counter() - start
            if finite < chunk:
                raise diverged(f"the loss became {loss}", done + int(finite) + 1)
            done += chunk
            history.append(progress.Progress(done, recipe.steps, loss, chunk * recipe.batch_size / seconds))
            progress.report(history[-1])
            stop = preempted()
            if (stop or checkpoints.due(done)) and not checkpoints.save(done):
                raise diverged("a weight is not finite any more", done)
            if stop:
                raise preemption.Preempted(f"SIGTERM after step {done} of {recipe.steps}")
            # As many steps in one call as fit between two reports: Python then costs nothing, the display stays alive,
            # and a preemption is noticed in time.
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

    outputs = [(predict(x).numpy(), y[:, 0].numpy()) for x, y, _ in batches]
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

    def replica_step(images: tf.Tensor, labels: tf.Tensor, presence: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        del presence
        labels = labels[:, 0]
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


def _diverged(what: str, step: int, rate: float, ids: list[str], checkpoint: str | None) -> FloatingPointError:
    few = ", ".join(ids[:_FEW]) + (f" and {len(ids) - _FEW} more" if len(ids) > _FEW else "")
    message = f"{what} at step {step}, at a learning rate of {rate:.4g}"
    message += f", on the examples {few}" if ids else ""
    message += "; lower learning_rate, lengthen warmup or set clip_norm"
    if checkpoint:
        message += f"\nThe last good checkpoint is {checkpoint}"
    if len(ids) > _FEW:
        message += f"\nThe batch: {', '.join(ids)}"
    return FloatingPointError(message)
