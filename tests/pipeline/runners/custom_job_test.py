"""A training that Vertex AI runs as a CustomJob, whose machines are processes here."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import harness
import pytest
from google.cloud import aiplatform, aiplatform_v1
from google.cloud.aiplatform_v1.types import JobState
from tfx.extensions.google_cloud_ai_platform import runner, training_clients

from pipeline.runners import custom_job
from pipeline.runners import task as tasks

NODE = "digits-same-distribution-finetune"
SMALL = [
    *harness.SMALL,
    *("finetune.steps=60", "targets.digits.arms=[same_distribution]", "checkpoint.steps=5"),
    f"resources={{{NODE}: {{machines: 2, timeout: 1.5}}}}",
]


class Service(training_clients.VertexJobClient):
    """Vertex AI, as far as TFX's client asks it: a job's pools are processes that have its TF_CONFIG."""

    jobs: list[dict] = []
    kill_at: pathlib.Path | None = None  # when this folder has a checkpoint, the worker is killed
    folder: pathlib.Path

    def create_client(self):
        pass

    def launch_job(self, project, training_job):
        aiplatform_v1.CustomJob(training_job)  # refuses what the message has not
        self.jobs.append({"project": project, **training_job})
        pools = training_job["job_spec"]["worker_pool_specs"]
        names = ["chief", *["worker"] * sum(pool["replica_count"] for pool in pools[1:])]
        addresses = [f"127.0.0.1:{_free_port()}" for _ in names]
        processes = []
        for number, name in enumerate(names):
            config = {
                "cluster": {"chief": addresses[:1], "worker": addresses[1:]},
                "task": {"type": name, "index": max(0, number - 1), "trial": ""},
                "job": "{}",
                "environment": "cloud",
            }
            command = pools[min(number, 1)]["container_spec"]["command"]
            with open(self.folder / f"{len(self.jobs)}-{number}.log", "w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, *command[1:]],
                        env={**os.environ, "TF_CONFIG": json.dumps(config)},
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        if self.kill_at is not None:
            while not list(self.kill_at.glob("*/checkpoint")) and processes[1].poll() is None:
                time.sleep(0.02)
            for process in reversed(processes):  # the worker dies, and the service ends the job
                process.kill()
        self._codes = [process.wait() for process in processes]

    def get_job(self):
        return None

    def get_job_name(self):
        return "job"

    def get_job_state(self, response):
        return JobState.JOB_STATE_SUCCEEDED if not any(self._codes) else JobState.JOB_STATE_FAILED


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Job:
    """A CustomJob that goes on until it is cancelled, and is asked for its state once more."""

    def __init__(self, state: str):
        self._states = [state]

    @property
    def state(self):
        return JobState[self._states.pop() if len(self._states) > 1 else self._states[0]]

    def cancel(self):
        self._states = ["JOB_STATE_CANCELLED", "JOB_STATE_CANCELLING"]


@pytest.mark.parametrize("stopped", [False, True], ids=["it ends", "it is stopped"])
def test_a_job_that_nobody_waits_for_is_cancelled(monkeypatch, stopped):
    lost, running, done = Job("JOB_STATE_RUNNING"), Job("JOB_STATE_RUNNING"), Job("JOB_STATE_SUCCEEDED")
    listed = [lost, done]
    asked, started = [], []

    def find(**arguments):
        asked.append(arguments)
        return listed

    def start(*arguments, job_args, **options):
        assert lost.state == JobState.JOB_STATE_CANCELLED
        started.append(job_args)
        listed.append(running)
        if stopped:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(aiplatform.CustomJob, "list", find)
    monkeypatch.setattr(runner, "start_cloud_training", start)
    monkeypatch.setattr(custom_job.time, "sleep", lambda seconds: None)
    values = {"node": "n", "code": "c", "inputs": {}, "outputs": {}, "producers": {}, "files": "gs://b"}
    task = tasks.Task(**values, job={"display_name": "demo-n"}, region="europe-west4", project="pets")
    monkeypatch.setenv(tasks.VARIABLE, task.model_dump_json())
    monkeypatch.setenv(tasks.RUN, "run-1")
    if stopped:
        with pytest.raises(SystemExit, match="SIGTERM"):
            custom_job.Executor().Do({}, {}, {})
    else:
        custom_job.Executor().Do({}, {}, {})
    assert started == [{"display_name": "demo-n", "project": "pets"}]
    assert asked[0] == {"filter": 'display_name="demo-n"', "project": "pets", "location": "europe-west4"}
    assert done.state == JobState.JOB_STATE_SUCCEEDED
    assert running.state == (JobState.JOB_STATE_CANCELLING if stopped else JobState.JOB_STATE_RUNNING)


@pytest.mark.slow
def test_two_machines_train_one_model_and_go_on_after_one_is_killed(compiled, tmp_path, monkeypatch):
    monkeypatch.setattr(training_clients, "VertexJobClient", Service)
    monkeypatch.setattr(aiplatform.CustomJob, "list", lambda **arguments: [])
    monkeypatch.setattr(Service, "jobs", [])
    monkeypatch.setattr(Service, "folder", tmp_path, raising=False)
    run = compiled("vertex", f"remote.files={tmp_path}/files", f"remote.root={tmp_path}/root", *SMALL)
    tasks.write(run.tasks_folder, "run-1", run.tasks)
    monkeypatch.setattr(Service, "kill_at", tmp_path / "files" / "checkpoints" / "demo" / NODE)
    found = harness.Harness(run.to_text(), tmp_path, "vertex")
    with pytest.raises(RuntimeError, match="did not succeed"):
        found.run()
    assert NODE not in found.outputs and "source-classifier" in found.outputs
    assert list(Service.kill_at.glob("*/checkpoint"))
    monkeypatch.setattr(Service, "kill_at", None)
    again = harness.Harness(run.to_text(), tmp_path, "vertex")
    again.run()
    assert "resuming from" in (tmp_path / "2-0.log").read_text()
    _, second = Service.jobs
    assert (second["project"], second["display_name"]) == ("pets", f"demo-{NODE}")
    assert second["job_spec"]["scheduling"] == {"timeout": "5400s", "restart_job_on_worker_restart": True}
    assert [pool["replica_count"] for pool in second["job_spec"]["worker_pool_specs"]] == [1, 1]
    model = pathlib.Path(again.path(NODE, "model"))
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
    history = (pathlib.Path(again.path(NODE, "model_run")) / "history.csv").read_text().splitlines()
    assert history[-1].startswith("60,")
    assert "digits-pusher" in again.outputs
