"""The one training loop, for pre-training and fine-tuning, under any distribution strategy."""

import functools
import math
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from trainer.loop import losses, optimizer, precision, preemption, progress
from trainer.loop.average import Average
from trainer.loop.checkpoints import Checkpoints
from trainer.loop.distribution import Workers
from trainer.loop.history import Progress, merge
from trainer.loop.schedules import RampThenCosine
from trainer.models import classifier
from trainer.recipes import Compute, Recipe

_REPORT_SECONDS = 1.0
_HISTORY_ENTRIES = 2000  # at most, but for those of checkpoints: a checkpoint holds them all
_AUXILIARY_WEIGHT = 0.4  # of an auxiliary head's cross entropy, as AmoebaNet is published
_FEW = 5  # ids of examples in the line that says what went wrong; the others follow it


def fit(
    make_model: Callable[[], keras.Model],
    batches: Callable[[int, tf.distribute.InputContext], tf.data.Dataset],
    recipe: Recipe,
    strategy: tf.distribute.Strategy,
    *,
    compute: Compute | None = None,
    frozen_steps: int = 0,
    checkpoints: Checkpoints | None = None,
    example_ids: Callable[[int], list[str]] = lambda step: [],
    on_progress: Callable[[Progress], None] = lambda entry: None,
) -> tuple[keras.Model, list[Progress]]:
    """Trains a model for `recipe.steps` steps, from its newest checkpoint on.

    On a CPU the weights are those of a training that was never interrupted, bit for bit; on a GPU with
    `compute.deterministic`.

    Args:
      make_model: returns a model as `trainer.models.classifier.build` makes it; called in the strategy's scope, and
        once more outside of it where what is trained is not what is returned.
      batches: returns, for a number of steps done and an input pipeline, the endless (images, labels, presence,
        weights) batches that follow, as `trainer.data.input_pipeline.training_batches` does: each of the context's
        per-replica size, all of a step together of the global size `recipe.batch_size`.
      recipe: how to train.
      strategy: where to train.
      compute: precision, XLA and normalisation.
      frozen_steps: how many steps train the head alone, while the backbone is as in inference.
      checkpoints: of this training. Deleting them is up to the caller, once the model is in a safe place.
      example_ids: returns the ids of the batch that follows a number of steps; asked when the loss is not finite.
      on_progress: hears all of the history, the part before an interruption first.

    Returns:
      The trained model, an ordinary float32 one on one device, whose weights are the average where the recipe asks for
      one; and the history of its training.

    Raises:
      FloatingPointError: the loss, the gradient or a weight that was to be saved is not a finite number any more.
      RuntimeError: there are checkpoints, and none can be read, or not the same one by all processes.
      ValueError: the replicas cannot share the batch evenly, or not what `compute` asks for.
      trainer.loop.preemption.Preempted: SIGTERM came; all steps done are in a checkpoint.
    """
    compute, checkpoints = compute or Compute(), checkpoints or Checkpoints()
    replicas = strategy.num_replicas_in_sync
    if recipe.batch_size % replicas:
        raise ValueError(
            f"batch_size: {recipe.batch_size} is no multiple of the {replicas} replicas; choose one that is"
        )
    if replicas > 1 and compute.xla and compute.synchronized_batch_norm:
        raise ValueError("compute.xla: XLA cannot wait for other replicas inside of a network; synchronise or compile")
    workers = Workers(strategy)
    with strategy.scope():
        state = _State(make_model(), recipe, compute)
    schedule = RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)

    def diverged(what: str, step: int) -> FloatingPointError:
        return _diverged(what, step, float(schedule(step - 1)), example_ids(step - 1), checkpoints.latest())

    history: list[Progress] = []
    reports: list[Progress] = []  # since the last entry of the history
    checkpoints.restore(state.variables(), history, is_chief=workers.is_chief)
    for entry in history:
        on_progress(entry)
    done, chunk = int(state.step.numpy()), 1
    if not workers.agree(done):
        raise RuntimeError(
            f"checkpoints: this process would go on after step {done} and another one from elsewhere; all of them have "
            f"to see the same folder {checkpoints.folder}"
        )
    frozen_steps = min(frozen_steps, recipe.steps)
    iterator = run = None
    if done < recipe.steps:
        iterator = iter(strategy.distribute_datasets_from_function(lambda context: batches(done, context)))
    with preemption.watch_sigterm() as preempted:
        while done < recipe.steps:
            if run is None or done == frozen_steps:
                if frozen_steps:
                    classifier.backbone_of(state.model).trainable = done >= frozen_steps
                run = _steps(state, recipe, compute, strategy)
            to_phase = frozen_steps - done if done < frozen_steps else recipe.steps - done
            chunk = min(chunk, to_phase, checkpoints.steps_to_next(done))
            start = time.perf_counter()
            means, finite, waited = (value.numpy() for value in run(iterator, tf.constant(chunk)))
            seconds = time.perf_counter() - start
            loss, accuracy, gradient_norm = (float(mean) for mean in means)
            if finite < chunk:
                what = "loss" if not math.isfinite(loss) else "gradient"
                raise diverged(f"the {what} became {loss if what == 'loss' else gradient_norm}", done + int(finite) + 1)
            done += chunk
            reports.append(
                Progress(
                    step=done,
                    steps=recipe.steps,
                    loss=loss,
                    images_per_second=float(chunk * recipe.batch_size / seconds),
                    learning_rate=float(schedule(done - 1)),
                    accuracy=accuracy,
                    gradient_norm=gradient_norm,
                    input_wait=float(min(waited / seconds, 1.0)),
                )
            )
            progress.report(reports[-1])
            # What one process decides, or its clock, has to be the same in all of them.
            stop, due, seconds = workers.mean([preempted(), checkpoints.due(done), seconds])
            since = history[-1].step if history else 0
            save = stop or due or done == recipe.steps
            if save or done - since >= recipe.steps / _HISTORY_ENTRIES:
                history.append(merge(reports, since))
                reports.clear()
                on_progress(history[-1])
            if save and not checkpoints.save(done):
                raise diverged("a weight is not finite any more", done)
            if stop:
                raise preemption.Preempted(f"SIGTERM after step {done} of {recipe.steps}")
            # As many steps in one call as fit between two reports: Python then costs nothing, the display stays alive,
            # and a preemption is noticed in time.
            chunk = max(1, min(2 * chunk, int(chunk * _REPORT_SECONDS / seconds)))
    if frozen_steps:
        classifier.backbone_of(state.model).trainable = True
    if replicas == 1 and compute == Compute(distribution=compute.distribution) and state.average is None:
        return state.model, history
    model = make_model()
    for variable, value in zip(model.variables, state.result(), strict=True):
        variable.assign(value.numpy())
    return model, history


def kernels(model: keras.Model) -> list[keras.Variable]:
    """Returns the variables that weight decay touches: kernels, not biases, not normalisation."""
    return [variable for variable in model.trainable_variables if variable.path.rsplit("/", 1)[-1].endswith("kernel")]


class _State:
    """All that changes in the course of a training; to be made in the strategy's scope."""

    def __init__(self, model: keras.Model, recipe: Recipe, compute: Compute):
        precision.prepare(model, compute)
        self.model = model
        self.optimizer = optimizer.make_optimizer(recipe, loss_scaling=compute.precision == "float16")
        self.optimizer.build(model.trainable_variables)
        self.step = tf.Variable(
            0, trainable=False, dtype=tf.int64, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # What follows the training's progress, as `trainer.models.amoebanet.DropPath` does, has such a variable.
        floating = [v for v in model.variables if tf.as_dtype(v.dtype).is_floating and v.name != "training_progress"]
        self.averaged = [variable.value for variable in floating]
        self.moving = [v.value for v in floating if not v.trainable]
        self.followers = [v for v in model.non_trainable_variables if v.name == "training_progress"]
        self.average = Average(self.averaged, recipe.ema) if recipe.ema else None

    def variables(self) -> dict[str, list[tf.Variable]]:
        """Returns what a checkpoint holds."""
        average = {"average": self.average.variables} if self.average else {}
        return {
            "model": [variable.value for variable in self.model.variables],
            "optimizer": [variable.value for variable in self.optimizer.variables],
            "step": [self.step],
            **average,
        }

    def result(self) -> list[tf.Variable]:
        """Returns what the training is for, in the order of the model's variables."""
        averages = dict(zip(map(id, self.averaged), self.average.variables, strict=True)) if self.average else {}
        return [averages.get(id(variable.value), variable.value) for variable in self.model.variables]


def _steps(state: _State, recipe: Recipe, compute: Compute, strategy: tf.distribute.Strategy) -> Callable:
    """Returns a function that does a number of steps with what is trainable now.

    It returns the means of [loss, accuracy, gradient norm]; after how many steps the loss was finite; and the seconds
    that were spent waiting for input.
    """
    replica_step = _replica_step(state, recipe, compute, strategy.num_replicas_in_sync)

    @tf.function
    def run(iterator, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        total, finite, waited = tf.zeros([3]), tf.constant(0), tf.constant(0.0, tf.float64)
        for _ in tf.range(steps):
            for follower in state.followers:
                follower.assign(tf.cast(state.step, tf.float32) / recipe.steps)
            with tf.control_dependencies([total]):
                asked = tf.timestamp()
            with tf.control_dependencies([asked]):
                batch = next(iterator)
            with tf.control_dependencies(strategy.experimental_local_results(batch[0])):
                waited += tf.timestamp() - asked
            values = strategy.run(replica_step, args=batch)
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)
            finite += tf.cast(tf.reduce_all(tf.math.is_finite(total)), tf.int32)
            state.step.assign_add(1)
            if compute.precision == "float16":  # of a step that is left out the schedule would not know
                state.optimizer.iterations.assign(state.step)
        return total / tf.cast(steps, tf.float32), finite, waited

    return run


def _replica_step(state: _State, recipe: Recipe, compute: Compute, replicas: int) -> Callable:
    model = state.model
    decayed = kernels(model)
    trained = model.trainable_variables

    def forward_and_backward(images, labels, presence, weights):
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            entropy_of = functools.partial(
                losses.cross_entropy, labels, presence, kind=recipe.loss, smoothing=recipe.label_smoothing
            )
            entropy = entropy_of(outputs["logits"])
            if "auxiliary_logits" in outputs:
                entropy += _AUXILIARY_WEIGHT * entropy_of(outputs["auxiliary_logits"])
            loss = tf.reduce_sum(weights * entropy) / recipe.batch_size
            if recipe.l2:
                # Once, not once a replica: the replicas' gradients are summed.
                loss += recipe.l2 / replicas * tf.add_n([2 * tf.nn.l2_loss(kernel.value) for kernel in decayed])
            scaled = optimizer.scale(state.optimizer, [loss])[0]
        gradients = tape.gradient(scaled, [variable.value for variable in trained])
        accuracy = tf.reduce_sum(losses.hits(labels, presence, outputs["logits"])) / recipe.batch_size
        return loss, accuracy, optimizer.unscale(state.optimizer, gradients)

    if compute.xla:
        forward_and_backward = tf.function(forward_and_backward, jit_compile=True)

    def replica_step(images, labels, presence, weights) -> tf.Tensor:
        loss, accuracy, gradients = forward_and_backward(images, labels, presence, weights)
        context = tf.distribute.get_replica_context()
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        if recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm, use_norm=norm)
        state.optimizer.apply(optimizer.scale(state.optimizer, gradients), trained)
        if replicas > 1 and state.moving and not compute.synchronized_batch_norm:
            # Each replica's statistics are of its own part of the batch. The mean of all is what a model ends with, and
            # what a checkpoint, which knows one value a variable, can give back.
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, [tf.identity(v) for v in state.moving])
            for variable, mean in zip(state.moving, means, strict=True):
                variable.assign(mean)
        if state.average:
            state.average.update(state.step)
        if compute.precision == "float16":  # such a gradient is no error: the step is left out, and the scale halved
            norm = tf.where(tf.math.is_finite(norm), norm, 0.0)
        return tf.stack([loss, accuracy, norm / replicas])

    return replica_step


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
