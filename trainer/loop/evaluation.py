"""Evaluation of a model over examples of a split, after a training and during it."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer import metrics
from trainer.loop.distribution import Workers
from trainer.loop.history import Progress
from trainer.recipes import Recipe

Batches = Iterable[tuple[tf.Tensor, ...]]  # (images, labels, presence), and what else belongs to the examples
Predict = Callable[[tf.Tensor], tf.Tensor]


def evaluate(
    predict: Predict,
    batches: Batches,
    *,
    activation: str = "softmax",
    on_batch: Callable[[tuple[tf.Tensor, ...], np.ndarray], None] | None = None,
) -> metrics.Metrics:
    """Returns the metrics of a model over all examples of `batches`, (images, labels, presence, …), a batch at a time.

    Args:
      predict: images → logits.
      batches: of examples.
      activation: the recipe's.
      on_batch: called with each batch and its logits, float [batch, classes].

    Raises:
      ValueError: there is no example, or `trainer.metrics.Sums` refuses a batch.
    """
    sums = metrics.Sums(activation)
    for batch in batches:
        images, labels, presence = batch[:3]
        logits = predict(images).numpy()
        sums.add(logits, labels.numpy(), presence.numpy() > 0)
        if on_batch is not None:
            on_batch(batch, logits)
    return sums.metrics()


def make_predict(model: keras.Model) -> Predict:
    """Returns what `evaluate` takes of a model that `trainer.models.classifier.build` made."""

    @tf.function(reduce_retracing=True, autograph=False)
    def predict(images: tf.Tensor) -> tf.Tensor:
        return model(images, training=False)["logits"]

    return predict


class Evaluations:
    """The evaluations during a training, and the best of its weights.

    Args:
      recipe: when to evaluate, and whether the best weights are exported.
      make_model: returns a model whose variables are those of the trained one.
      make_batches: returns the examples to evaluate on, as `evaluate` takes them.
      workers: of the training; the chief evaluates.
    """

    def __init__(
        self,
        recipe: Recipe,
        make_model: Callable[[], keras.Model],
        make_batches: Callable[[], Batches] | None,
        workers: Workers,
    ):
        self._settings, self._activation = recipe.evaluate, recipe.activation
        self._steps = recipe.steps
        self._make_batches, self._workers = make_batches, workers
        self._last = time.monotonic()
        self.best: list[tf.Variable] = []
        if recipe.evaluate is None:
            return
        self._model = make_model()
        self._predict = make_predict(self._model)
        if recipe.export == "best":
            # Not of the strategy: each process keeps its own.
            self.best = [tf.Variable(variable.value, trainable=False) for variable in self._model.variables]

    def steps_to_next(self, step: int) -> int:
        """Returns how many steps may follow `step` before `due` has to be called."""
        if self._settings is None or not self._settings.every_steps:
            return self._steps
        return self._settings.every_steps - step % self._settings.every_steps

    def due(self, step: int) -> bool:
        """Returns whether it is time to evaluate after `step`."""
        if self._settings is None:
            return False
        if self._settings.every_minutes:
            return time.monotonic() - self._last >= 60 * self._settings.every_minutes
        return self.steps_to_next(step - 1) == 1 or step == self._steps

    def missed(self, step: int, history: Sequence[Progress]) -> bool:
        """Returns whether the evaluation after `step`, which `history` ends with, was given up."""
        by_steps = self._settings is not None and self._settings.every_steps is not None
        return step > 0 and by_steps and self.due(step) and history[-1].eval_loss is None

    def run(
        self, values: Sequence[tf.Variable], history: Sequence[Progress], stopped: Callable[[], object]
    ) -> tuple[float, float] | None:
        """Evaluates, and keeps the weights if they are the best. All processes have to call it.

        Args:
          values: the weights, in the order of the model's variables.
          history: of the training so far, with its earlier evaluations.
          stopped: whether to give up; asked before each batch.

        Returns:
          Loss and accuracy, the same in all processes; None: it was given up.
        """
        for variable, value in zip(self._model.variables, values, strict=True):
            variable.assign(value.numpy())  # some are read from all processes
        found = [0.0, 0.0, 0.0]
        if self._workers.is_chief:
            assert self._make_batches is not None
            try:
                of_split = evaluate(self._predict, _until(stopped, self._make_batches()), activation=self._activation)
                found = [of_split.cross_entropy, of_split.accuracy, 0.0]
            except _Stopped:
                found = [0.0, 0.0, 1.0]
        loss, accuracy, given_up = (float(value) for value in self._workers.count * self._workers.mean(found))
        if given_up:
            return None
        self._last = time.monotonic()
        earlier = [(e.eval_accuracy, -e.eval_loss) for e in history if e.eval_loss is not None]
        if self.best and (accuracy, -loss) > max(earlier, default=(-1.0, 0.0)):
            for variable, kept in zip(self._model.variables, self.best, strict=True):
                kept.assign(variable.value)
        return loss, accuracy


class _Stopped(Exception):  # noqa: N818 - it is no error
    """An evaluation is given up."""


def _until(stopped: Callable[[], object], batches: Batches) -> Iterator[tuple[tf.Tensor, ...]]:
    for batch in batches:
        if stopped():
            raise _Stopped
        yield batch
