"""Checkpoints, from which an interrupted training resumes as if it had not been interrupted.

A checkpoint holds every variable of the model (with the seed generators, which Keras' `weights` omits), of its average
and of the optimiser; the step, which fixes the place in the schedule and in the input; and the history so far.
TensorFlow's `CheckpointManager` writes and deletes them. A checkpoint counts once it has been written completely.
"""

import dataclasses
import hashlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import tensorflow as tf

from components import storage
from trainer.loop.history import Progress
from trainer.recipes import Checkpoint

POLICY_FILE = "policy.json"
# TensorFlow has no narrower class for a damaged file. It raises IndexError for a file that is too short.
_UNREADABLE = (tf.errors.OpError, IndexError)
# A file system that does not answer is no reason to fall back to an older checkpoint.
_TRANSIENT = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.PermissionDeniedError)


def folder(parent: str, **identity: object) -> str:
    """Returns the folder, below `parent`, of the training that the JSON-like `identity` identifies."""
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return os.path.join(parent, hashlib.sha256(text.encode()).hexdigest()[:16])


def write_policy(root: str, policy: Checkpoint) -> None:
    """Writes the policy of all trainings whose checkpoints are below `root`.

    The policy is a file because a parameter of the nodes would be part of their cache keys: saving more often would
    train everything again.
    """
    storage.write_text(os.path.join(root, POLICY_FILE), policy.model_dump_json(indent=1))


def read_policy(root: str) -> Checkpoint:
    """Returns what `write_policy` wrote to `root`, or the defaults."""
    path = os.path.join(root, POLICY_FILE)
    return Checkpoint.model_validate_json(storage.read_text(path)) if tf.io.gfile.exists(path) else Checkpoint()


class Checkpoints:
    """The checkpoints of one training.

    Args:
      folder: used by this training alone. None: no checkpoint is written or read.
      policy: when to write, and how many to keep.
    """

    def __init__(self, folder: str | None = None, policy: Checkpoint | None = None):
        self.folder = folder
        self.policy = policy or Checkpoint()
        self._manager: tf.train.CheckpointManager | None = None
        self._model_variables: list[tf.Variable] = []
        self._last_save = time.monotonic()

    def restore(
        self, variables: Mapping[str, Sequence[tf.Variable]], history: list[Progress], *, is_chief: bool = True
    ) -> bool:
        """Restores the newest readable checkpoint, if there is one. From now on `save` saves these variables.

        Args:
          variables: everything that changes in a training, in the same groups and order in every process and every
            run. `save` requires those of the group 'model' to be finite.
          history: changed in place; save after appending to it.
          is_chief: whether this process writes the checkpoints that count. The other processes have to save too,
            because some variables are read from all of them; theirs go to a temporary folder.

        Returns:
          Whether there was a checkpoint.

        Raises:
          RuntimeError: there are checkpoints, but none can be read.
        """
        if self.folder is None:
            return False
        state = tf.train.Checkpoint(
            **{name: list(group) for name, group in variables.items()}, history=_History(history)
        )
        self._model_variables = [variable for variable in variables["model"] if variable.dtype.is_floating]
        self._manager = tf.train.CheckpointManager(state, self.folder, max_to_keep=self.policy.keep)
        self._last_save = time.monotonic()
        paths = self._manager.checkpoints
        if not is_chief:
            self._temporary = tempfile.TemporaryDirectory(prefix="checkpoints-")  # deleted with this object
            self._manager = tf.train.CheckpointManager(state, self._temporary.name, max_to_keep=1)
        for path in reversed(paths):
            try:
                state.restore(path).assert_consumed()
            except _TRANSIENT:
                raise
            except _UNREADABLE as error:
                _log().warning("%s cannot be read, trying the one before it: %s", path, error)
                continue
            _log().info("resuming from %s", path)
            return True
        if paths:
            # A failed read may have changed some variables already, so starting from them would be wrong.
            raise RuntimeError(f"checkpoints: none in {self.folder} can be read; delete that folder to train anew")
        return False

    def steps_to_next(self, step: int) -> int:
        """Returns how many steps may follow `step` before `due` has to be called."""
        return self.policy.steps - step % self.policy.steps if self.policy.steps else sys.maxsize

    def due(self, step: int) -> bool:
        """Returns whether it is time to save after `step`."""
        if self.folder is None:
            return False
        seconds = time.monotonic() - self._last_save
        return bool(
            (self.policy.steps and step % self.policy.steps == 0)
            or (self.policy.minutes and seconds >= 60 * self.policy.minutes)
        )

    def save(self, step: int) -> bool:
        """Writes a checkpoint if all variables of the model are finite; if not, the good checkpoints stay.

        Returns:
          Whether all are finite.
        """
        if self.folder is None:
            return True
        if not all(bool(tf.reduce_all(tf.math.is_finite(variable))) for variable in self._model_variables):
            return False
        assert self._manager is not None, "restore comes before the first save"
        start = time.monotonic()
        path = self._manager.save(checkpoint_number=step)
        self._last_save = time.monotonic()
        _log().info("%s written in %.1f s", path, self._last_save - start)
        return True

    def latest(self) -> str | None:
        """Returns the newest checkpoint, or None."""
        return self._manager.latest_checkpoint if self._manager else None

    def delete(self) -> None:
        """Deletes all checkpoints. Call it once the trained model has been exported."""
        if self.folder is not None and tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)


class _History(tf.train.experimental.PythonState):
    """A history as part of a checkpoint."""

    def __init__(self, entries: list[Progress]):
        self._entries = entries

    def serialize(self) -> str:
        return json.dumps([dataclasses.astuple(entry) for entry in self._entries])

    def deserialize(self, text: str) -> None:
        self._entries[:] = [Progress(*row) for row in json.loads(text)]


def _log() -> logging.Logger:
    return logging.getLogger(__name__)
