"""Lets a training run as a CustomJob of Vertex AI: on several machines, on a TPU, or for a limited time."""

import os
import time
from typing import Any

from google.cloud import aiplatform
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.extensions.google_cloud_ai_platform import runner

from pipeline.runners import task as tasks
from trainer.loop import interruption

_EXECUTOR = "trainer.component.Executor"
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")
_POLLING_SECONDS = 30


class Executor(base_executor.BaseExecutor):
    """Starts the job that the task names, and waits for its end."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        task = tasks.read(os.environ[tasks.RUN])
        cancel_jobs(task, wait=True)
        with interruption.end_on_signals(lambda stop: None):
            try:
                runner.start_cloud_training(
                    input_dict,
                    output_dict,
                    exec_properties,
                    executor_class_path=_EXECUTOR,
                    job_args={**task.job, "project": task.project},
                    job_id=None,
                    job_labels=None,
                    enable_vertex=True,
                    vertex_region=task.region,
                )
            except interruption.Interrupted:  # somebody cancels the run
                cancel_jobs(task, wait=False)
                raise


def cancel_jobs(task: tasks.Task, *, wait: bool) -> None:
    """Cancels the jobs of a step that go on.

    A run is alone, and so is each of its steps. So a job that goes on before the step has started one is of a container
    that is lost: nobody waits for it, and it would write the same checkpoints as the new one.

    Args:
      task: the step.
      wait: whether to wait for their end.
    """
    jobs: Any = aiplatform.CustomJob.list(
        filter=f'display_name="{task.job["display_name"]}"', project=task.project, location=task.region
    )
    going_on = [job for job in jobs if not _has_ended(job)]
    for job in going_on:
        job.cancel()
    while wait and not all(map(_has_ended, going_on)):
        time.sleep(_POLLING_SECONDS)


def _has_ended(job: Any) -> bool:
    return job.state.name.removeprefix("JOB_STATE_") in _ENDED
