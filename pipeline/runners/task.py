"""What a container of a remote run is told beside its inputs: nothing of it may be in a cache key.

Kubeflow Pipelines keeps a container's environment out of its cache keys, Vertex AI does not. There the environment has
only the URI of a folder, in which `specialist submit` writes a file for each run.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from components import storage
from components.settings import StrictModel

VARIABLE = "SPECIALIST_TASK"
RUN = "SPECIALIST_RUN"  # the id of the run, which the entry point sets
_NODE, _ROOT = "SPECIALIST_NODE", "SPECIALIST_ROOT"


class Task(StrictModel):
    """A step of a remote run.

    Attributes:
      node: its id.
      code: hash of the code by which the pipeline was compiled.
      inputs, outputs: key → the type of its artifacts, as `package.Class`.
      producers: key of an input → the node and the key that it comes from.
      files: the folder of what TensorFlow reads and writes by itself.
      policies: path → content of the files that decide nothing of what the step gives.
      config: what `specialist prior` and `plan` have to know of the configuration.
      beam: arguments of its Beam job.
      job: the CustomJob of Vertex AI that does the work; empty: this container does it.
      region: of that job.
      project: of that job.
    """

    node: str
    code: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    producers: dict[str, tuple[str, str]]
    files: str
    policies: dict[str, str] = {}
    config: dict[str, Any] = {}
    beam: list[str] = []
    job: dict[str, Any] = {}
    region: str | None = None
    project: str | None = None


def digest(content: Any) -> str:
    """Returns 8 hex digits that identify JSON-like content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def environment(task: Task, root: str, folder: str | None) -> list[dict[str, str]]:
    """Returns the environment of the container of `task`: the task itself, or where it stands.

    Args:
      task: the step.
      root: of the artifacts.
      folder: URI of the folder with the tasks of all runs; None: there is none.
    """
    text = json.dumps(task.model_dump(), sort_keys=True) if folder is None else folder
    return [{"name": VARIABLE, "value": text}, {"name": _NODE, "value": task.node}, {"name": _ROOT, "value": root}]


def write(folder: str, run: str, tasks: Mapping[str, Task]) -> None:
    """Writes the tasks of a run to the folder with those of all runs."""
    content = {node: task.model_dump() for node, task in tasks.items()}
    storage.write_text(_path(folder, run), json.dumps(content, indent=1, sort_keys=True))


def find_run(output: str, environ: Mapping[str, str] = os.environ) -> str:
    """Returns the backend's id of the run that writes the artifact `output`: `<root>/<…>/<run>/<task>/…`.

    Raises:
      ValueError: the environment names no root, or another one.
    """
    root = environ.get(_ROOT)
    if not root or not output.startswith(f"{root}/") or output.removeprefix(f"{root}/").count("/") < 2:
        raise ValueError(
            f"{_ROOT}: {root!r} is not where {output!r} is; the root of a pipeline that `specialist compile` makes has "
            "to be remote.root"
        )
    return output.removeprefix(f"{root}/").split("/")[1]


def read(run: str, environ: Mapping[str, str] = os.environ) -> Task:
    """Returns the task of this container in a run.

    Raises:
      ValueError: the environment names none, or not one of the run.
    """
    text = environ.get(VARIABLE)
    if not text:
        raise ValueError(f"{VARIABLE}: not set; this is the entry point of the steps that `specialist compile` makes")
    if text.startswith("{"):
        return _parse(json.loads(text))
    path, node = _path(text, run), environ.get(_NODE, "")
    if not tf.io.gfile.exists(path):
        raise ValueError(f"{VARIABLE}: there is no {path}, which `specialist submit` writes; submit the run by it")
    tasks = json.loads(storage.read_text(path))
    if node not in tasks:
        raise ValueError(f"{_NODE}: {node!r} is no step of the run in {path}; submit the run again")
    return _parse(tasks[node])


def _path(folder: str, run: str) -> str:
    return os.path.join(folder, f"{run}.json")


def _parse(content: dict[str, Any]) -> Task:
    producers = {key: tuple(producer) for key, producer in content["producers"].items()}
    return Task(**{**content, "producers": producers})
