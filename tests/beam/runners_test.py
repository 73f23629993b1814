"""The Beam jobs of the demo on workers outside its process: `make test-beam`.

SPECIALIST_BEAM   a runner that is there, as the key `beam` has it, to run them on, too
SPECIALIST_KILL   a command that takes a worker of it away, in the middle of the ingestion
"""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

import harness
import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from benchmarks import beam_workers
from pipeline.config import steps
from pipeline.config.load import load
from pipeline.pipeline import create_pipeline
from pipeline.place import Place

pytestmark = pytest.mark.slow

DEMO = str(pathlib.Path(__file__).parents[2] / "pipeline" / "configs" / "demo.yaml")
RUNNER, KILL = "SPECIALIST_BEAM", "SPECIALIST_KILL"
ONE_ARM = ["near_duplicates.enabled=true", "targets.digits.arms=[same_distribution]"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> list[str]:
    """Overrides of the demo; workers have a HOME of their own, so that the data are in a folder that is named."""
    data = tmp_path_factory.mktemp("data")
    return [*harness.SMALL, *ONE_ARM, f"source.data_dir={data}", f"targets.digits.data.data_dir={data}"]


def start(workspace: pathlib.Path, settings: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "pipeline.cli", "run", DEMO, "--workspace", str(workspace)]
    overrides = [text for setting in settings for text in ("--set", setting)]
    return subprocess.Popen([*command, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for_ingestion(process: subprocess.Popen, workspace: pathlib.Path) -> None:
    """Waits until the first part of the source is ingested."""
    while not list(workspace.glob("working/source-examples/*/runs/*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def finish(workspace: pathlib.Path, settings: list[str]) -> None:
    process = start(workspace, settings)
    output, _ = process.communicate()
    assert process.returncode == 0, output


def files_of_beam(workspace: pathlib.Path, settings: list[str]) -> dict[str, str]:
    """Returns file → hash of the outputs of the nodes that are Beam jobs; the Evaluator's say where its inputs are.

    TFDV has the features in another order if it counts on several workers; they are sorted here.
    """
    nodes = create_pipeline(load(DEMO, settings), Place.local(str(workspace))).components
    found = {}
    for node in nodes:
        if type(node).__name__ in set(steps.BEAM_COMPONENTS) - {"Evaluator"}:
            for path in (workspace / "artifacts" / node.id).glob("[!.]*/*/**/*"):
                if path.is_file():
                    output, _, *rest = path.relative_to(workspace / "artifacts" / node.id).parts
                    found[f"{node.id}/{output}/{'/'.join(rest)}"] = hashlib.sha256(read(path)).hexdigest()
    return found


def read(path: pathlib.Path) -> bytes:
    content = path.read_bytes()
    if path.name != "FeatureStats.pb":
        return content
    statistics = statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    for dataset in statistics.datasets:
        dataset.features.sort(key=lambda feature: [*feature.path.step])
    return statistics.SerializeToString(deterministic=True)


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory, settings) -> dict[str, str]:
    workspace = tmp_path_factory.mktemp("in_memory")
    finish(workspace, settings)
    found = files_of_beam(workspace, settings)
    assert {name.partition("/")[0] for name in found} > {"source-examples", "digits-predictions", "source-exclusions"}
    return found


def test_by_a_job_service_and_a_pool_of_workers(worker_python, in_memory, settings, tmp_path):
    with (
        beam_workers.run_job_service(worker_python, tmp_path) as service,
        beam_workers.run_worker_pool(worker_python, tmp_path) as (pool, _),
    ):
        runner = f"beam={{runner: portable, job_endpoint: '{service}', worker_pool: '{pool}'}}"
        finish(tmp_path / "workspace", [*settings, runner])
    assert files_of_beam(tmp_path / "workspace", settings) == in_memory


def test_by_two_processes(in_memory, settings, tmp_path):
    finish(tmp_path / "workspace", [*settings, "beam={runner: multi_processing, workers: 2}"])
    assert files_of_beam(tmp_path / "workspace", settings) == in_memory


def test_a_pool_that_dies_ends_the_node_and_the_next_run_goes_on(worker_python, in_memory, settings, tmp_path):
    workspace = tmp_path / "workspace"
    with beam_workers.run_job_service(worker_python, tmp_path) as service:
        with beam_workers.run_worker_pool(worker_python, tmp_path) as (pool, group):
            more = f"job_endpoint: '{service}', worker_pool: '{pool}', pool_timeout: 5"
            settings = [*settings, f"beam={{source-examples: {{runner: portable, {more}}}}}"]
            process = start(workspace, settings)
            wait_for_ingestion(process, workspace)
            beam_workers.kill(group)
            began = time.monotonic()
            output, _ = process.communicate(timeout=120)
        print(f"the node ended {time.monotonic() - began:.1f} s after its workers")
        assert process.returncode == 1
        # The job service may see it first, and fail the job.
        assert re.search(rf"beam: no worker pool (has answered|answers) at {pool}.*; start it, and run again", output)
        with beam_workers.run_worker_pool(worker_python, tmp_path, pool):
            finish(workspace, settings)
    assert files_of_beam(workspace, settings) == in_memory


@pytest.mark.parametrize("gone", ["job service", "worker pool"])
def test_what_is_not_there_is_named(worker_python, settings, tmp_path, gone):
    with beam_workers.run_job_service(worker_python, tmp_path) as service:
        places = {"job service": "127.0.0.1:1", "worker pool": "127.0.0.1:2"}
        endpoint = places["job service"] if gone == "job service" else service
        more = f"job_endpoint: '{endpoint}', worker_pool: '{places['worker pool']}', pool_timeout: 2"
        process = start(tmp_path / "workspace", [*settings, f"beam={{runner: portable, {more}}}"])
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    line = {"job service": "beam: no job service answers at", "worker pool": "beam: no worker pool has answered at"}
    assert f"{line[gone]} {places[gone]}" in output


@pytest.mark.skipif(RUNNER not in os.environ, reason=f"{RUNNER} is not set")
def test_by_the_runner_of_the_environment(in_memory, settings, tmp_path):
    """Runs the demo on a runner that is not to be had everywhere; a worker of it may be taken away meanwhile."""
    workspace = tmp_path / "workspace"
    settings = [*settings, f"beam={os.environ[RUNNER]}"]
    process = start(workspace, settings)
    if KILL in os.environ:
        wait_for_ingestion(process, workspace)
        subprocess.run(os.environ[KILL], shell=True, check=True)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert files_of_beam(workspace, settings) == in_memory
