"""Runs a compiled pipeline task by task, each with the ExecutorInput that its backend would give.

Written after what the backends do: Vertex AI keeps the types of artifacts and opens their URIs as they are. Kubeflow
loses the types' schemas, copies each input into the pod, copies the outputs out of it, and has one fixed output file.
"""

import dataclasses
import graphlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from components import storage
from pipeline.runners import entrypoint

_BUCKET = "minio://mlpipeline"
# Of the demo: 4% of the source, and short trainings.
SMALL = [
    "source.splits={train: 'train[:4%]', eval: 'eval[:4%]'}",
    *("classifier.steps=30", "pretrain.steps=20", "finetune.steps=20", "resample.n=500"),
    "targets.digits.evaluation.minimum=0",
]


@dataclasses.dataclass(frozen=True)
class Step:
    """A container to run: its environment, its arguments, and where URIs are mounted in it."""

    name: str
    command: list[str]
    arguments: list[str]
    env: dict[str, str]
    mounts: dict[str, str]


def run_here(step: Step) -> None:
    """Runs a step in this process."""
    before = dict(os.environ)
    os.environ.update(step.env)
    try:
        entrypoint.main(step.arguments, step.mounts)
    finally:
        os.environ.clear()
        os.environ.update(before)


def run_as_process(step: Step) -> None:
    """Runs a step as the process that its container would be."""
    command = [sys.executable, *step.command[1:]]
    if step.mounts:  # where this machine has no such folders
        text = f"import sys; from pipeline.runners import entrypoint; entrypoint.main(sys.argv[1:], {step.mounts!r})"
        command = [sys.executable, "-c", text]
    subprocess.run([*command, *step.arguments], env={**os.environ, **step.env}, check=True)


class Harness:
    """A backend in a folder; another one with the same folder goes on where it was.

    Args:
      spec: the compiled pipeline, as `specialist compile` writes it.
      folder: for all that the backend has.
      backend: 'kubeflow' or 'vertex'.
      run: the name of the run, under which the backend keeps what its steps write.
      titles: whether Kubeflow passes the types' titles, as newer versions do.
      parameters: parameters of the pipeline that are not the defaults.
      start: runs a step.
      may_fail: whether steps may fail: those that need them do not run, unless they wait for the end of them only.
    """

    def __init__(
        self,
        spec: str,
        folder: pathlib.Path,
        backend: str,
        *,
        run: str = "run-1",
        titles: bool = False,
        parameters: Mapping[str, Any] | None = None,
        start: Callable[[Step], None] = run_here,
        may_fail: bool = False,
    ):
        self._folder, self._backend, self._run, self._titles, self._start = folder, backend, run, titles, start
        if backend == "vertex":
            job = json.loads(spec)
            self.spec, self._root = job["pipelineSpec"], job["runtimeConfig"]["gcsOutputDirectory"]
        else:
            self.spec, self._root = next(yaml.safe_load_all(spec)), f"{_BUCKET}/runs"
        defaults = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        self._parameters = {name: found["defaultValue"] for name, found in defaults.items()} | dict(parameters or {})
        self._may_fail = may_fail
        self.failed: dict[str, Exception] = {}
        self._state = folder / "state.json"
        self.outputs: dict[str, dict[str, list[dict]]] = {}  # task → key → artifacts, as the backend's store has them
        if self._state.exists():
            self.outputs = json.loads(self._state.read_text())

    def run(self) -> None:
        """Runs all tasks that have not run, in the order of their dependencies."""
        tasks = self.spec["root"]["dag"]["tasks"]
        order = graphlib.TopologicalSorter({name: task.get("dependentTasks", []) for name, task in tasks.items()})
        for name in order.static_order():
            # As a backend does: of a failed task nothing after it is started, unless that waits for its end only.
            lacks = any(up not in self.outputs for up in tasks[name].get("dependentTasks", []))
            strategy = tasks[name].get("triggerPolicy", {}).get("strategy")
            if name in self.outputs or (lacks and strategy != "ALL_UPSTREAM_TASKS_COMPLETED"):
                continue
            executor = self.spec["deploymentSpec"]["executors"][self._component(name)["executorLabel"]]
            if "importer" in executor:
                uri = executor["importer"]["artifactUri"]["constant"]
                self.outputs[name] = {
                    key: [self._artifact(found, uri, f"{name}-{key}")] for key, found in self._defined(name, "output")
                }
            else:
                try:
                    self._run_container(name, executor["container"])
                except Exception as error:
                    if not self._may_fail:
                        raise
                    self.failed[name] = error
            self._folder.mkdir(parents=True, exist_ok=True)
            self._state.write_text(json.dumps(self.outputs))

    def path(self, task: str, key: str) -> str:
        """Returns the path of an artifact."""
        return self._stored(self.outputs[task][key][0]["uri"])

    def _run_container(self, name: str, container: Mapping[str, Any]) -> None:
        given = self.executor_input(name)
        pod = self._folder / "pods" / name
        shutil.rmtree(pod, ignore_errors=True)
        mounts = {}
        if self._backend == "kubeflow":
            mounts = {"minio://": f"{pod}/minio/"}
            for listed in given["inputs"]["artifacts"].values():
                for artifact in listed["artifacts"]:
                    self._copy(self._stored(artifact["uri"]), mounts["minio://"] + artifact["uri"].split("://")[1])
        arguments = [json.dumps(given) if each == "{{$}}" else each for each in container["args"]]
        env = {each["name"]: each["value"] for each in container.get("env", [])}
        self._start(Step(name, container["command"], arguments, env, mounts))
        told = json.loads(storage.read_text(given["outputs"]["outputFile"]))
        self.outputs[name] = {}
        for key, listed in given["outputs"]["artifacts"].items():
            (artifact,) = listed["artifacts"]
            (found,) = told["artifacts"][key]["artifacts"]
            assert found["uri"] == artifact["uri"]
            # The store names an artifact when it is there.
            self.outputs[name][key] = [{**artifact, "name": f"{name}-{key}", "metadata": found.get("metadata", {})}]
            if self._backend == "kubeflow":
                self._copy(mounts["minio://"] + artifact["uri"].split("://")[1], self._stored(artifact["uri"]))

    def executor_input(self, name: str) -> dict[str, Any]:
        """Returns the ExecutorInput of a task whose inputs are there."""
        task = self.spec["root"]["dag"]["tasks"][name].get("inputs", {})
        base = f"{self._root}/{self.spec['pipelineInfo']['name']}/{self._run}/{name}"
        if self._backend == "kubeflow":  # 2.5 and newer
            base += "/0c7e"
        file = f"{self._folder}/pods/{name}/kfp_outputs/output_metadata.json"
        if self._backend == "vertex":
            file = f"{base}/executor_output.json"
        inputs = {}
        for key, source in task.get("artifacts", {}).items():
            source = source["taskOutputArtifact"]
            if source["producerTask"] not in self.outputs:
                assert self._component(name)["inputDefinitions"]["artifacts"][key]["isOptional"]
                continue
            found = self.outputs[source["producerTask"]][source["outputArtifactKey"]]
            inputs[key] = {"artifacts": json.loads(json.dumps(found))}
        return {
            "inputs": {
                "parameterValues": {
                    key: self._parameters[found["componentInputParameter"]]
                    if "componentInputParameter" in found
                    else found["runtimeValue"]["constant"]
                    for key, found in task.get("parameters", {}).items()
                },
                "artifacts": inputs,
            },
            "outputs": {
                "artifacts": {
                    key: {"artifacts": [self._artifact(found, f"{base}/{key}", f"{name}-{key}")]}
                    for key, found in self._defined(name, "output")
                },
                "outputFile": file,
            },
        }

    def _component(self, task: str) -> dict[str, Any]:
        return self.spec["components"][self.spec["root"]["dag"]["tasks"][task]["componentRef"]["name"]]

    def _defined(self, task: str, side: str):
        return self._component(task).get(f"{side}Definitions", {}).get("artifacts", {}).items()

    def _artifact(self, defined: Mapping[str, Any], uri: str, name: str) -> dict[str, Any]:
        schema = defined["artifactType"]["instanceSchema"]
        kind = {"instanceSchema": schema}
        if self._backend == "kubeflow":
            kind = {"schemaTitle": yaml.safe_load(schema)["title"]} if self._titles else {"instanceSchema": ""}
        name = "" if self._backend == "kubeflow" and name not in self.outputs else name
        return {"name": name, "type": kind, "uri": uri, "metadata": dict(defined.get("metadata", {}))}

    def _stored(self, uri: str) -> str:
        return uri.replace("minio://", f"{self._folder}/store/", 1)

    def _copy(self, source: str, target: str) -> None:
        if os.path.exists(source):  # a component need not write all outputs
            shutil.copytree(source, target, dirs_exist_ok=True)
