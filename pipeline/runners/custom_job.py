"""Lets a training run as a CustomJob of Vertex AI: on several machines, on a TPU, or for a limited time."""

import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.extensions.google_cloud_ai_platform import runner

from pipeline.runners import task as tasks

_EXECUTOR = "trainer.component.Executor"


class Executor(base_executor.BaseExecutor):
    """Starts the job that the task names, and waits for its end."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        task = tasks.read(os.environ[tasks.RUN])
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
