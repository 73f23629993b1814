"""Checkpoints of a training: all that it takes to go on as if nothing had happened.

That is every variable of the model (seed generators included, which `weights` leaves out), of its average and of the
optimiser, the step, which tells the place in the schedule and in the input, and the history so far. Writing and keeping
them is left to TensorFlow's `CheckpointManager`: a checkpoint counts once it has been written whole.
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
# TensorFlow has no narrower name for a damaged file; the other one is what it says of one that is too short.
_UNREADABLE = (tf.errors.OpError, IndexError)
# A file system that does not answer is no reason to take an older checkpoint.
_TRANSIENT = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.PermissionDeniedError)


def folder(parent: str, **decisive: object) -> str:
    """Returns the folder below `parent` of the training that `decisive` decides, JSON-like: others have another one."""
    text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
    return os.path.join(parent, hashlib.sha256(text.encode()).hexdigest()[:16])


def write_policy(root: str, policy: Checkpoint) -> None:
    """Writes when trainings whose checkpoints lie below `root` are saved.

    As a file, and not as a parameter of the nodes: that would be part of their cache keys, and saving more often would
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
      folder: theirs alone; None: none are written, and there are none to go on from.
      policy: when to write, and how many to keep.
    """

    def __init__(self, folder: str | None = None, policy: Checkpoint | None = None):
        self.folder = folder
        self.policy = policy or Checkpoint()
        self._manager: tf.train.CheckpointManager | None = None
        self._checked: list[tf.Variable] = []
        self._written = time.monotonic()

    def restore(
        self, variables: Mapping[str, Sequence[tf.Variable]], history: list[Progress], *, is_chief: bool = True
    ) -> bool:
        """Brings everything to where the newest readable checkpoint has it; what is saved from now on is theirs.

        Args:
          variables: all that changes in a training, in the same groups and order whenever it is made; before a save,
            those of the group 'model' have to be finite.
          history: changed in place; save after appending to it.
          is_chief: whether this process is the one of several whose checkpoints count. All have to save, because some
            variables are read from all of them; the others' go to a temporary folder.

        Returns:
          Whether there was a checkpoint.

        Raises:
          RuntimeError: there are checkpoints, and none can be read.
        """
        if self.folder is None:
            return False
        state = tf.train.Checkpoint(
            **{name: list(group) for name, group in variables.items()}, history=_History(history)
        )
        self._checked = [variable for variable in variables["model"] if variable.dtype.is_floating]
        self._manager = tf.train.CheckpointManager(state, self.folder, max_to_keep=self.policy.keep)
        self._written = time.monotonic()
        paths = self._manager.checkpoints
        if not is_chief:
            self._elsewhere = tempfile.TemporaryDirectory(prefix="checkpoints-")  # goes when this object goes
            self._manager = tf.train.CheckpointManager(state, self._elsewhere.name, max_to_keep=1)
        for path in reversed(paths):
            try:
                state.restore(path).assert_consumed()
            except _TRANSIENT:
                raise
            except _UNREADABLE as error:
                _log().warning("%s cannot be read, the one before it is tried: %s", path, error)
                continue
            _log().info("goes on from %s", path)
            return True
        if paths:
            # A read that failed may have changed some variables already: a training could not start from them.
            raise RuntimeError(f"checkpoints: none in {self.folder} can be read; delete that folder to train anew")
        return False

    def steps_to_next(self, step: int) -> int:
        """Returns how many steps after `step` may be done before `due` has to be asked."""
        return self.policy.steps - step % self.policy.steps if self.policy.steps else sys.maxsize

    def due(self, step: int) -> bool:
        """Returns whether it is time to save after `step`."""
        if self.folder is None:
            return False
        seconds = time.monotonic() - self._written
        return bool(
            (self.policy.steps and step % self.policy.steps == 0)
            or (self.policy.minutes and seconds >= 60 * self.policy.minutes)
        )

    def save(self, step: int) -> bool:
        """Writes a checkpoint, unless a variable of the model is not finite: then good ones stay as they are.

        Returns:
          Whether all of them are finite.
        """
        if self.folder is None:
            return True
        if not all(bool(tf.reduce_all(tf.math.is_finite(variable))) for variable in self._checked):
            return False
        assert self._manager is not None, "restore comes before the first save"
        start = time.monotonic()
        path = self._manager.save(checkpoint_number=step)
        self._written = time.monotonic()
        _log().info("%s written in %.1f s", path, self._written - start)
        return True

    def latest(self) -> str | None:
        """Returns the newest checkpoint, or None."""
        return self._manager.latest_checkpoint if self._manager else None

    def delete(self) -> None:
        """Deletes all of them, when the training and what is made of it are done."""
        if self.folder is not None and tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)


class _History(tf.train.experimental.PythonState):
    """A history, as a part of a checkpoint."""

    def __init__(self, entries: list[Progress]):
        self._entries = entries

    def serialize(self) -> str:
        return json.dumps([dataclasses.astuple(entry) for entry in self._entries])

    def deserialize(self, text: str) -> None:
        self._entries[:] = [Progress(*row) for row in json.loads(text)]


def _log() -> logging.Logger:
    return logging.getLogger(__name__)
