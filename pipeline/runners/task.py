"""What a container of a remote run is told beside its inputs: nothing of it may be in a cache key.

Kubeflow Pipelines keeps a container's environment out of its cache keys, Vertex AI does not. There the environment has
only the URI of a file, which `specialist submit` writes.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from components import storage
from components.settings import StrictModel

VARIABLE = "SPECIALIST_TASK"
_NODE = "SPECIALIST_NODE"


class Task(StrictModel):
    """A step of a remote run.

    Attributes:
      node: its id.
      code: hash of the code by which the pipeline was compiled.
      inputs, outputs: key → the type of its artifacts, as `package.Class`.
      producers: key of an input → the node and the key that it comes from.
      files: the folder of what TensorFlow reads and writes by itself.
      policies: path → content of the files that decide nothing of what the step gives.
      config: the configuration of the run.
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
    job: dict[str, Any] = {}
    region: str | None = None
    project: str | None = None


def digest(content: Any) -> str:
    """Returns 8 hex digits that identify JSON-like content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def environment(task: Task, file: str | None) -> list[dict[str, str]]:
    """Returns the environment of the container of `task`: the task itself, or where it stands.

    Args:
      task: the step.
      file: URI of the file with all tasks of the run; None: there is none.
    """
    if file is None:
        return [{"name": VARIABLE, "value": json.dumps(task.model_dump(), sort_keys=True)}]
    return [{"name": VARIABLE, "value": file}, {"name": _NODE, "value": task.node}]


def write(file: str, tasks: Mapping[str, Task]) -> None:
    """Writes the tasks of a run to the URI `file`."""
    content = {node: task.model_dump() for node, task in tasks.items()}
    storage.write_text(file, json.dumps(content, indent=1, sort_keys=True))


def read(environ: Mapping[str, str] = os.environ) -> Task:
    """Returns the task of this container.

    Raises:
      ValueError: the environment names none, or not one of the run.
    """
    text = environ.get(VARIABLE)
    if not text:
        raise ValueError(f"{VARIABLE}: not set; this is the entry point of the steps that `specialist compile` makes")
    if text.startswith("{"):
        return _parse(json.loads(text))
    tasks, node = json.loads(storage.read_text(text)), environ.get(_NODE, "")
    if node not in tasks:
        raise ValueError(f"{_NODE}: {node!r} is no step of the run in {text}; submit the run again")
    return _parse(tasks[node])


def _parse(content: dict[str, Any]) -> Task:
    producers = {key: tuple(producer) for key, producer in content["producers"].items()}
    return Task(**{**content, "producers": producers})
