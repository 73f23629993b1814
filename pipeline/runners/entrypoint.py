"""The entry point of the containers of a remote run: does what TFX's does, where TFX's cannot.

TFX's entry point fails on open-source Kubeflow, which passes artifact types without their schemas
(tensorflow/tfx#7768) and stores artifacts where TensorFlow cannot open them. This one fills in the types, gives TFX the
folders to which Kubeflow copies the artifacts, and refuses an image with other code than the pipeline was compiled by:
what it computes would be reused as if it were the pipeline's.
"""

import argparse
import copy
import json
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor
from tfx.utils import io_utils

from components import storage
from components.code_version import hash_packages
from pipeline import record
from pipeline.config.places import COPIED
from pipeline.runners import task as tasks
from pipeline.runners.task import Task

# URI scheme → where Kubeflow's launcher puts the files of such a URI, and takes them from.
MOUNTS = {"minio://": "/minio/", "s3://": "/s3/"}
# The types of small artifacts that `specialist prior`, `plan` and `report` show.
_SHOWN = ("components.LabelPrior", "components.ResamplePlan", "components.Report")
_CUSTOM_JOB = "pipeline.runners.custom_job.Executor"


def main(arguments: Sequence[str] | None = None, mounts: Mapping[str, str] = MOUNTS) -> None:
    """Runs a step.

    Args:
      arguments: those that TFX compiles into a pipeline; by default this process's.
      mounts: scheme → folder; see `MOUNTS`.

    Raises:
      ValueError: the image has other code than the pipeline was compiled by, or this is no container of a run.
    """
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    args, beam_args = parser.parse_known_args(arguments)
    given = json.loads(args.json_serialized_invocation_args)
    run = tasks.find_run(next(iter(given["outputs"]["artifacts"].values()))["artifacts"][0]["uri"])
    task = tasks.read(run)
    check_code(task)
    os.environ[tasks.RUN] = run
    executor_input = copy.deepcopy(given)
    prepare(executor_input, task, mounts)
    for path, content in task.policies.items():
        if not tf.io.gfile.exists(path) or storage.read_text(path) != content:
            storage.write_text(path, content)
    args.json_serialized_invocation_args = json.dumps(executor_input)
    if task.job:
        args.executor_class_path = _CUSTOM_JOB
    start = time.time()
    kubeflow_v2_run_executor.main((args, [*beam_args, *task.beam]))
    output_file = executor_input["outputs"]["outputFile"]
    told = json.loads(storage.read_text(output_file))
    executor_output = _replace_all(told, {folder: scheme for scheme, folder in mounts.items()})
    if executor_output != told:
        storage.write_text(output_file, json.dumps(executor_output))
    _note(task, run, given, mounts, time.time() - start)


def check_code(task: Task) -> None:
    """Checks that this container's code is that of the pipeline.

    Raises:
      ValueError: it is not.
    """
    here = hash_packages()
    if here != task.code:
        raise ValueError(
            f"image: its code is {here}, but the pipeline was compiled by {task.code}; build the image from the same "
            "commit, and submit again"
        )


def prepare(executor_input: dict[str, Any], task: Task, mounts: Mapping[str, str]) -> None:
    """Changes what the backend passes such that TFX can work with it: types, URIs, and names of inputs."""
    for side, types in (("inputs", task.inputs), ("outputs", task.outputs)):
        for key, listed in executor_input.get(side, {}).get("artifacts", {}).items():
            for artifact in listed.get("artifacts", []):
                if side == "inputs" and not artifact.get("name"):  # an imported one, which TFX has to tell from others
                    artifact["name"] = artifact["uri"]
                artifact["uri"] = _replace(artifact["uri"], mounts)
                given = artifact.get("type", {})
                if not (given.get("schemaTitle") or given.get("instanceSchema")):
                    artifact["type"] = {"schemaTitle": types[key]}


def _replace(text: str, pairs: Mapping[str, str]) -> str:
    for before, after in pairs.items():
        if text.startswith(before):
            return after + text.removeprefix(before)
    return text


def _replace_all(value: Any, pairs: Mapping[str, str]) -> Any:
    """Returns JSON with the beginnings of its texts replaced."""
    if isinstance(value, dict):
        return {key: _replace_all(each, pairs) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace_all(each, pairs) for each in value]
    return _replace(value, pairs) if isinstance(value, str) else value


def _note(task: Task, run: str, given: Mapping[str, Any], mounts: Mapping[str, str], seconds: float) -> None:
    """Writes what this step tells of the run: its own outputs, and those of others that it has read."""

    def uris(side: str, key: str) -> list[str]:
        artifacts = given.get(side, {}).get("artifacts", {}).get(key, {}).get("artifacts", [])
        return [artifact["uri"] for artifact in artifacts]

    nodes: dict[str, record.Node] = {}
    for key, (producer, output) in task.producers.items():
        if not uris("inputs", key):  # an optional one of a step that failed
            continue
        known = nodes.setdefault(producer, record.Node("resolved", 0.0, {}))
        known.outputs[output] = uris("inputs", key)
    outputs = {}
    for key, kind in task.outputs.items():
        outputs[key] = uris("outputs", key)
        if kind in _SHOWN and outputs[key][0].startswith(COPIED):  # these commands cannot open it there
            readable = os.path.join(task.files, record.FOLDER, run, task.node, key)
            io_utils.copy_dir(_replace(outputs[key][0], mounts), readable)
            outputs[key] = [readable]
    nodes[task.node] = record.Node("done", seconds, outputs)
    record.write_part(task.files, run, task.node, time.time() - seconds, record.Record(task.config, nodes))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        traceback.print_exc()  # libraries raise it, too
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error
