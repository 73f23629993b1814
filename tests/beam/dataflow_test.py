"""What Dataflow would be sent: each step's pipeline and its job, with all data in buckets. Nothing is sent.

`python tests/beam/dataflow_test.py` writes golden/dataflow.yaml anew.
"""

import base64
import bz2
import dataclasses
import io
import json
import pathlib
import pickle
import re
import zlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import harness
import numpy as np
import PIL.Image
import pytest
import ram
import tensorflow as tf
import yaml
from apache_beam.options import pipeline_options as options
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow import dataflow_runner
from apache_beam.runners.dataflow.internal import apiclient

from components.artifacts import versions
from pipeline.config import steps
from pipeline.config.load import load
from pipeline.config.run import Config
from pipeline.nodes import ingest
from pipeline.pipeline import create_pipeline
from pipeline.place import Place
from pipeline.runners import task as tasks
from pipeline.runners.compile import compile_pipeline

pytestmark = pytest.mark.slow

GOLDEN = pathlib.Path(__file__).with_name("golden") / "dataflow.yaml"  # the same on both lanes
IMAGE = "registry/specialist:1.0"
WHOLE = """
all: {runner: dataflow, temp_location: gs://bucket/beam, max_workers: 20, disk_gb: 100, public_ips: false}
Predictor:
  runner: dataflow
  temp_location: gs://bucket/beam
  machine_type: n1-standard-8
  accelerator: nvidia-tesla-t4
  count: 2
"""
_LARGEST = 4096  # bytes of an element that may be grouped; an image has more


class CapturedError(Exception):
    """Ends a step when its pipeline is known."""


def write_folders(root: str) -> None:
    """Writes PNGs of noise, 12 kB each: of 3 source classes and of 2 target classes."""
    rng = np.random.default_rng(0)
    for side, labels, count in (("source", ("emu", "hen", "owl"), 20), ("target", ("one", "two"), 10)):
        for label in labels:
            tf.io.gfile.makedirs(f"{root}/{side}/{label}")
            for i in range(count):
                file = io.BytesIO()
                PIL.Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(file, "PNG")
                with tf.io.gfile.GFile(f"{root}/{side}/{label}/{i}.png", "wb") as out:
                    out.write(file.getvalue())


def load_config(root: str, folder: pathlib.Path) -> Config:
    training = {"steps": 2, "batch_size": 4, "learning_rate": 0.01}
    splits = {"train": 0.6, "eval": 0.4}
    content = {
        "name": "noise",
        "image": {"size": 16, "channels": 3},
        "backbone": {"name": "compact_cnn"},
        "source": {"folder": f"{root}/source", "splits": splits},
        "targets": {
            "words": {
                "data": {"folder": f"{root}/target", "splits": splits},
                "arms": ["same_distribution"],
                "push": "same_distribution",
                "evaluation": {"minimum": 0},
            }
        },
        "near_duplicates": {"enabled": True, "embeddings": 0.999},
        **dict.fromkeys(("classifier", "pretrain", "finetune"), training),
        "resample": {"n": 30, "materialise": True},
        "remote": {
            "root": f"{root}/runs",
            "image": IMAGE,
            "project": "pets",
            "region": "europe-west4",
            "service_account": "beam@pets.iam.gserviceaccount.com",
            "beam": yaml.safe_load(WHOLE),
        },
    }
    path = folder / "noise.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(str(path))


def capture(root: str, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Runs the pipeline, and each Beam step a second time for Dataflow; returns node → its job, node → its pipeline."""
    write_folders(f"{root}")
    config = load_config(root, folder)
    ingest.prepare(config, lambda text: pytest.fail("nothing is to be prepared"))
    place = Place.remote(config, {})
    nodes = create_pipeline(config, place)
    compiled = compile_pipeline(nodes, config, place, "vertex")
    in_memory = {name: task.model_copy(update={"beam": []}) for name, task in compiled.tasks.items()}
    tasks.write(compiled.tasks_folder, "run-1", in_memory)
    tasks.write(compiled.tasks_folder, "run-2", compiled.tasks)
    classes = {node.id: type(node).__name__ for node in nodes.components}
    jobs, pipelines = {}, {}
    original = dataflow_runner.DataflowRunner.run_pipeline

    def run_pipeline(self, pipeline, given):
        given.view_as(options.TestOptions).dry_run = True
        given.view_as(options.GoogleCloudOptions).no_auth = True
        job = original(self, pipeline, given).job
        client = apiclient.DataflowApplicationClient(given, job.root_staging_location)
        client.create_job_description(job)
        raise CapturedError(job)

    def expand_checked(self, grouped):
        return expand(self, grouped | "Check" >> beam.Map(check_size))

    expand = beam.GroupByKey.expand
    patch.setattr(versions, "_sizes", ram.sizes_of)
    patch.setattr(dataflow_runner.DataflowRunner, "run_pipeline", run_pipeline)
    # Asks the service for the bucket's policy.
    patch.setattr(
        options.GoogleCloudOptions, "_warn_if_soft_delete_policy_enabled", lambda *arguments: [], raising=False
    )
    patch.setattr(apiclient.DataflowApplicationClient, "_stage_resources", lambda *arguments: [])
    patch.setattr(apiclient.DataflowApplicationClient, "stage_file_with_retry", lambda *arguments, **more: None)

    def start(step: harness.Step) -> None:
        if classes[step.name] in steps.BEAM_COMPONENTS:
            try:
                harness.run_here(dataclasses.replace(step, arguments=[*map(in_second_run, step.arguments)]))
            except CapturedError as captured:
                (job,) = captured.args
                jobs[step.name], pipelines[step.name] = job, job.proto_pipeline
            else:
                raise AssertionError(f"{step.name} runs no pipeline")
        with pytest.MonkeyPatch.context() as checked:
            checked.setattr(beam.GroupByKey, "expand", expand_checked)
            harness.run_here(step)

    harness.Harness(compiled.to_text(), folder, "vertex", start=start).run()
    return jobs, pipelines


def in_second_run(argument: str) -> str:
    """Returns an argument of a step with outputs in another run, whose tasks say that Dataflow does the work."""
    if '"outputs"' not in argument:
        return argument
    given = json.loads(argument)
    return json.dumps({**given, "outputs": json.loads(json.dumps(given["outputs"]).replace("/run-1/", "/run-2/"))})


def check_size(element):
    size = len(pickle.dumps(element))
    assert size < _LARGEST, f"{size} bytes are grouped"
    return element


def describe(job: Any) -> dict[str, Any]:
    """Returns what the job message says of the machines, without what differs from call to call and lane to lane."""
    found = json.loads(job.json())["environment"]
    for pool in found["workerPools"]:
        for image in pool["sdkHarnessContainerImages"]:
            del image["capabilities"], image["environmentId"]
    text = json.dumps(
        {
            "pools": found["workerPools"],
            "experiments": sorted(found.get("experiments", [])),
            "service_options": found.get("serviceOptions", []),
            "service_account": found.get("serviceAccountEmail"),
            "temp": found["tempStoragePrefix"],
        },
        sort_keys=True,
    )
    return json.loads(re.sub(r"beamapp-[\w.-]+", "JOB", text))


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield capture("ram://dataflow", tmp_path_factory.mktemp("dataflow"), patch)


def test_all_beam_jobs_are_sent(captured):
    jobs, _ = captured
    assert jobs.keys() == {
        *("source-examples", "words-examples", "source-statistics", "words-statistics"),
        *("source-exclusions", "source-embedding-exclusions", "source-predictions", "words-predictions"),
        *("source-train-predictions", "words-same-distribution-resample", "words-evaluator"),
    }


def test_workers_run_in_our_image_and_know_nothing_of_this_machine(captured):
    _, pipelines = captured
    for node, found in pipelines.items():
        for environment in found.components.environments.values():
            assert environment.urn == "beam:env:docker:v1", node
            payload = beam_runner_api_pb2.DockerPayload.FromString(environment.payload)
            assert payload.container_image == IMAGE, node
            assert not environment.dependencies, node
        # Lambdas say which source file they are from. Dataflow is sent jobs by a container of the same image.
        functions = re.sub(rb"[\w./-]+\.py\b", b"", b"".join(unpack_functions(found)))
        text = found.SerializeToString() + functions
        for here in (str(pathlib.Path(__file__).parents[2]), str(pathlib.Path.home()), "/tmp/"):
            assert here.encode() not in text, f"{node}: {here}"


def unpack_functions(pipeline) -> Iterator[bytes]:
    """Yields the functions of a pipeline, pickled; Beam packs them."""
    for transform in pipeline.components.transforms.values():
        if transform.spec.urn == common_urns.primitives.PAR_DO.urn:
            function = beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload).do_fn
            packed = base64.b64decode(function.payload)
            yield zlib.decompress(packed) if packed[:1] == b"x" else bz2.decompress(packed)


def test_the_jobs_are_what_they_were(captured):
    jobs, _ = captured
    assert {node: describe(job) for node, job in jobs.items()} == yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))


def test_an_image_in_a_grouping_would_be_seen():
    with pytest.raises(AssertionError, match="bytes are grouped"):
        check_size((0, b"x" * 12_000))


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as monkeypatch:
        made, _ = capture("ram://dataflow", pathlib.Path(temporary), monkeypatch)
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(
        yaml.safe_dump({name: describe(each) for name, each in made.items()}, width=120), encoding="utf-8"
    )
