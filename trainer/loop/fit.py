"""The one training loop, for pre-training and fine-tuning, under any distribution strategy."""

import dataclasses
import functools
import itertools
import math
import signal
import time
from collections.abc import Callable, Iterable

import keras
import tensorflow as tf

from components import decoding
from trainer.loop import interruption, losses, optimizer, precision, progress, variables
from trainer.loop.average import Average
from trainer.loop.checkpoints import Checkpoints
from trainer.loop.distribution import Workers
from trainer.loop.evaluation import Batches, Evaluations
from trainer.loop.history import Progress, merge
from trainer.loop.schedules import RampThenCosine
from trainer.models import classifier
from trainer.recipes import Compute, Recipe

_REPORT_SECONDS = 1.0
_HISTORY_ENTRIES = 2000  # upper limit, entries at checkpoints and evaluations aside; every checkpoint holds the history
_AUXILIARY_WEIGHT = 0.4  # of an auxiliary head's cross entropy, as in the published AmoebaNet
_SHOWN_IDS = 5  # in the first line of an error message; all ids follow below


def fit(
    make_model: Callable[[], keras.Model],
    batches: Callable[[int, tf.distribute.InputContext], tf.data.Dataset],
    recipe: Recipe,
    strategy: tf.distribute.Strategy,
    *,
    compute: Compute | None = None,
    frozen_steps: int = 0,
    checkpoints: Checkpoints | None = None,
    evaluation_batches: Callable[[], Batches] | None = None,
    example_ids: Callable[[int], list[str]] = lambda step: [],
    batch_records: Callable[[int], Iterable[bytes]] = lambda step: (),
    on_progress: Callable[[Progress], None] = lambda entry: None,
) -> tuple[keras.Model, list[Progress]]:
    """Trains a model for `recipe.steps` steps, starting from its newest checkpoint.

    On a CPU, and on a GPU with `compute.deterministic`, a resumed training gives the weights of an uninterrupted one,
    bit for bit.

    Args:
      make_model: returns a model like that of `trainer.models.classifier.build`. Called in the strategy's scope, and
        once more outside of it where the trained model differs from the returned one.
      batches: (steps done, input context) → the endless (images, labels, presence, weights) batches of the following
        steps, as `trainer.data.input_pipeline.training_batches` gives them. Each has the context's per-replica size;
        those of one step add up to `recipe.batch_size`.
      recipe: the hyper-parameters.
      strategy: the distribution strategy.
      compute: precision, XLA and normalisation.
      frozen_steps: number of steps, at the start, that train the head alone; the backbone runs in inference mode.
      checkpoints: those of this training. The caller deletes them once the model has been exported.
      evaluation_batches: returns what `recipe.evaluate` evaluates on; needed if the recipe sets it.
      example_ids: steps done → the ids of the next batch; called when the loss is not finite.
      batch_records: steps done → the records of the next batch; called when an image cannot be decoded.
      on_progress: called with every entry of the history, those before an interruption first.

    Returns:
      The trained model, in float32 and on one device, with the average of the weights if the recipe sets `ema`, after
      the last step or the best evaluation; and the history of its training.

    Raises:
      FloatingPointError: the loss, the gradient or a weight to be saved is not finite.
      RuntimeError: there are checkpoints, but none can be read, or the processes read different ones.
      ValueError: the batch does not divide by the replicas, or `compute` has settings that exclude each other.
      trainer.loop.interruption.Interrupted: SIGINT or SIGTERM came; a checkpoint holds all steps done.
    """
    compute, checkpoints = compute or Compute(), checkpoints or Checkpoints()
    replicas = strategy.num_replicas_in_sync
    if recipe.batch_size % replicas:
        raise ValueError(
            f"batch_size: {recipe.batch_size} is not a multiple of the {replicas} replicas; choose one that is"
        )
    if replicas > 1 and compute.xla and compute.synchronized_batch_norm:
        raise ValueError(
            "compute.xla: XLA cannot synchronise replicas inside a network; set it or synchronized_batch_norm to false"
        )
    if recipe.evaluate and evaluation_batches is None:
        raise ValueError("evaluation_batches: the recipe's `evaluate` needs them; give them, or set it to None")
    workers = Workers(strategy)
    with strategy.scope():
        state = _State(make_model(), recipe, compute)
    evaluations = Evaluations(recipe, make_model, evaluation_batches, workers)
    schedule = RampThenCosine(recipe.peak_learning_rate, recipe.ramp_steps, recipe.steps)

    def diverged(what: str, step: int) -> FloatingPointError:
        return _diverged(what, step, float(schedule(step - 1)), example_ids(step - 1), checkpoints.latest())

    def interrupted_after(step: int) -> interruption.Interrupted:
        number = signal_received() or signal.SIGTERM  # the signal may be another process's
        return interruption.Interrupted(number, f"after step {step} of {recipe.steps}")

    history: list[Progress] = []
    reports: list[Progress] = []  # those since the last entry of the history
    best = {"best": evaluations.best} if evaluations.best else {}
    checkpoints.restore({**state.variables(), **best}, history, is_chief=workers.is_chief)
    done, chunk = int(state.step.numpy()), 1
    if not workers.agree(done):
        raise RuntimeError(
            f"checkpoints: this process would resume after step {done}, another one after a different step; give all "
            f"processes the same folder {checkpoints.folder}"
        )
    frozen_steps = min(frozen_steps, recipe.steps)
    iterator = run = None
    if done < recipe.steps:
        iterator = iter(strategy.distribute_datasets_from_function(lambda context: batches(done, context)))
    with interruption.watch_signals() as signal_received:
        if evaluations.missed(done, history):
            found = evaluations.run(state.result(), history[:-1], signal_received)
            if found is None:
                raise interrupted_after(done)
            history[-1] = dataclasses.replace(history[-1], eval_loss=found[0], eval_accuracy=found[1])
        for entry in history:
            on_progress(entry)
        while done < recipe.steps:
            if run is None or done == frozen_steps:
                if frozen_steps:
                    state.train_backbone(done >= frozen_steps)
                run = _make_run(state, recipe, compute, strategy)
            to_phase = frozen_steps - done if done < frozen_steps else recipe.steps - done
            chunk = min(chunk, to_phase, checkpoints.steps_to_next(done), evaluations.steps_to_next(done))
            start = time.perf_counter()
            # Of all steps of the call: the counter may lag behind the batch that could not be read.
            records = itertools.chain.from_iterable(map(batch_records, range(done, done + chunk)))
            with decoding.name_undecodable(records):
                means, finite, input_wait_seconds = (value.numpy() for value in run(iterator, tf.constant(chunk)))
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
                    input_wait=float(min(input_wait_seconds / seconds, 1.0)),
                )
            )
            progress.report(reports[-1])
            # Signals and clocks differ between processes, but all have to take the same decision.
            stop, due, evaluate, seconds = workers.mean(
                [bool(signal_received()), checkpoints.due(done), evaluations.due(done), seconds]
            )
            if evaluate and not stop:  # else the resumed training does it
                found = evaluations.run(state.result(), history, signal_received)
                stop = found is None
                if found:
                    reports[-1] = dataclasses.replace(reports[-1], eval_loss=found[0], eval_accuracy=found[1])
            since = history[-1].step if history else 0
            save = stop or due or done == recipe.steps
            if save or evaluate or done - since >= recipe.steps / _HISTORY_ENTRIES:
                history.append(merge(reports, since))
                reports.clear()
                on_progress(history[-1])
            if save and not checkpoints.save(done):
                raise diverged("a weight is not finite", done)
            if stop:
                raise interrupted_after(done)
            # Each call does as many steps as fit between two reports: few enough to show progress and to react to a
            # preemption in time, many enough to make Python's overhead negligible.
            chunk = max(1, min(2 * chunk, int(chunk * _REPORT_SECONDS / seconds)))
    if frozen_steps:
        classifier.backbone_of(state.model).trainable = True
    is_whole = compute == Compute(distribution=compute.distribution) and recipe.batch_norm == "train"
    # A model of its own has none of the training's precision, normalisation and replicas.
    model = state.model if replicas == 1 and is_whole else make_model()
    for variable, value in zip(model.variables, evaluations.best or state.result(), strict=True):
        variable.assign(value.numpy())
    return model, history


class _State:
    """All that changes during a training. Create it in the strategy's scope."""

    def __init__(self, model: keras.Model, recipe: Recipe, compute: Compute):
        precision.prepare(model, compute)
        self.model = model
        self._has_frozen_statistics = recipe.batch_norm == "frozen"
        if self._has_frozen_statistics:
            variables.freeze_statistics(model)
        self.optimizer = optimizer.make_optimizer(
            recipe,
            model.trainable_variables,
            decayed=variables.kernels(model),
            multiples=variables.rate_multiples(model, recipe.layer_decay),
            loss_scaling=compute.precision == "float16",
        )
        self.step = tf.Variable(
            0, trainable=False, dtype=tf.int64, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        # Layers that depend on the training's progress, such as `trainer.models.amoebanet.DropPath`, have a variable
        # `training_progress`, which is not averaged.
        floating = [v for v in model.variables if tf.as_dtype(v.dtype).is_floating and v.name != "training_progress"]
        self.averaged = [variable.value for variable in floating]
        # What stays as it is would not, if the means of equal values were rounded.
        still = set(map(id, variables.statistics(model) if self._has_frozen_statistics else ()))
        self.moving = [v.value for v in floating if not v.trainable and id(v) not in still]
        self.followers = [v for v in model.non_trainable_variables if v.name == "training_progress"]
        self.average = Average(self.averaged, recipe.ema) if recipe.ema else None

    def train_backbone(self, is_trained: bool) -> None:
        """Says whether the backbone is trained in the steps that are traced from now on, or only the heads are."""
        classifier.backbone_of(self.model).trainable = is_trained
        if is_trained and self._has_frozen_statistics:
            variables.freeze_statistics(self.model)

    def variables(self) -> dict[str, list[tf.Variable]]:
        """Returns the variables that a checkpoint holds, by group."""
        average = {"average": self.average.variables} if self.average else {}
        return {
            "model": [variable.value for variable in self.model.variables],
            "optimizer": [variable.value for variable in self.optimizer.variables],
            "step": [self.step],
            **average,
        }

    def result(self) -> list[tf.Variable]:
        """Returns the trained weights, or their averages, in the order of the model's variables."""
        averages = dict(zip(map(id, self.averaged), self.average.variables, strict=True)) if self.average else {}
        return [averages.get(id(variable.value), variable.value) for variable in self.model.variables]


def _make_run(state: _State, recipe: Recipe, compute: Compute, strategy: tf.distribute.Strategy) -> Callable:
    """Returns the function (iterator, number of steps) that trains the variables that are trainable now.

    It returns the means of [loss, accuracy, gradient norm]; after how many steps they were finite; and the seconds
    spent waiting for input.
    """
    replica_step = _make_replica_step(state, recipe, compute, strategy.num_replicas_in_sync)

    @tf.function
    def run(iterator, steps: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        total, finite, input_wait_seconds = tf.zeros([3]), tf.constant(0), tf.constant(0.0, tf.float64)
        for _ in tf.range(steps):
            for follower in state.followers:
                follower.assign(tf.cast(state.step, tf.float32) / recipe.steps)
            with tf.control_dependencies([total]):
                request_time = tf.timestamp()
            with tf.control_dependencies([request_time]):
                batch = next(iterator)
            with tf.control_dependencies(strategy.experimental_local_results(batch[0])):
                input_wait_seconds += tf.timestamp() - request_time
            values = strategy.run(replica_step, args=batch)
            total += strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)
            finite += tf.cast(tf.reduce_all(tf.math.is_finite(total)), tf.int32)
            state.step.assign_add(1)
            if compute.precision == "float16":  # else the schedule would not count the steps that are skipped
                state.optimizer.iterations.assign(state.step)
        return total / tf.cast(steps, tf.float32), finite, input_wait_seconds

    return run


def _make_replica_step(state: _State, recipe: Recipe, compute: Compute, replicas: int) -> Callable:
    model = state.model
    decayed = set(map(id, variables.kernels(model)))
    trained = model.trainable_variables

    def forward_and_backward(images, labels, presence, weights):
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            loss_of = functools.partial(losses.loss, recipe, labels, presence)
            values = loss_of(outputs["logits"])
            if "auxiliary_logits" in outputs:
                values += _AUXILIARY_WEIGHT * loss_of(outputs["auxiliary_logits"])
            loss = tf.reduce_sum(weights * values) / recipe.batch_size
            scaled = optimizer.scale(state.optimizer, [loss])[0]
        gradients = tape.gradient(scaled, [variable.value for variable in trained])
        accuracy = tf.reduce_sum(losses.hits(labels, presence, outputs["logits"])) / recipe.batch_size
        return loss, accuracy, optimizer.unscale(state.optimizer, gradients)

    if compute.xla:
        forward_and_backward = tf.function(forward_and_backward, jit_compile=True)

    # There is nothing for AutoGraph in a step; looking for it takes seconds.
    @tf.autograph.experimental.do_not_convert
    def replica_step(images, labels, presence, weights) -> tf.Tensor:
        loss, accuracy, gradients = forward_and_backward(images, labels, presence, weights)
        context = tf.distribute.get_replica_context()
        if replicas > 1:  # TensorFlow keeps the graph of each training that has such an operation to the process's end
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        if recipe.l2:  # as a term of the gradient: one of the loss would be derived again in each replica
            gradients = [
                gradient + 2 * recipe.l2 * variable.value if id(variable) in decayed else gradient
                for gradient, variable in zip(gradients, trained, strict=True)
            ]
        norm = tf.linalg.global_norm(gradients)
        if recipe.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, recipe.clip_norm, use_norm=norm)
        state.optimizer.apply(optimizer.scale(state.optimizer, gradients), trained)
        if replicas > 1 and state.moving and not compute.synchronized_batch_norm:
            # Each replica's statistics come from its own part of the batch. A checkpoint and the final model have one
            # value a variable: the mean.
            means = context.all_reduce(tf.distribute.ReduceOp.MEAN, [tf.identity(v) for v in state.moving])
            for variable, mean in zip(state.moving, means, strict=True):
                variable.assign(mean)
        if state.average:
            state.average.update(state.step)
        if compute.precision == "float16":  # not an error: the step is skipped and the scale halved
            norm = tf.where(tf.math.is_finite(norm), norm, 0.0)
        return tf.stack([loss, accuracy, norm / replicas])

    return replica_step


def _diverged(what: str, step: int, rate: float, ids: list[str], checkpoint: str | None) -> FloatingPointError:
    shown = ", ".join(ids[:_SHOWN_IDS]) + (f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else "")
    message = f"{what} at step {step}, at a learning rate of {rate:.4g}"
    message += f", on the examples {shown}" if ids else ""
    message += "; lower learning_rate, lengthen warmup or set clip_norm"
    if checkpoint:
        message += f"\nThe last good checkpoint is {checkpoint}"
    if len(ids) > _SHOWN_IDS:
        message += f"\nAll examples of the batch: {', '.join(ids)}"
    return FloatingPointError(message)
