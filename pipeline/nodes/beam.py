"""Which nodes are Beam jobs, and what is said of the runner that does their work."""

import contextlib
import io
import os
from collections.abc import Iterable, Mapping
from typing import cast

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.dsl.components.base.base_node import BaseNode

from pipeline.config import steps
from pipeline.config.beam import Dataflow, JobServer, Runner, WorkersElsewhere, find_runner


def find_jobs(nodes: Iterable[BaseNode]) -> dict[str, BaseNode]:
    """Returns the nodes that are Beam jobs, by their ids."""
    return {node.id: node for node in nodes if isinstance(node, base_beam_component.BaseBeamComponent)}


def tell_nodes(nodes: Iterable[BaseNode], configured: Mapping[str, Runner]) -> None:
    """Tells the nodes that are Beam jobs what does their work on this machine.

    Args:
      nodes: all nodes of a pipeline.
      configured: the section `beam`.

    Raises:
      ValueError: the section names what there is not, or what cannot work on a workspace.
    """
    jobs = find_jobs(nodes)
    check("beam", configured, jobs)
    for key, runner in configured.items():
        _check_here(f"beam.{key}", runner)
    for name, node in jobs.items():
        spec = cast(executor_spec.BeamExecutorSpec, node.executor_spec)
        spec.beam_pipeline_args = find_runner(configured, name, type(node).__name__).arguments()


def select_runners(nodes: Iterable[BaseNode], configured: Mapping[str, Runner]) -> dict[str, Runner]:
    """Returns the part of the section `beam` that speaks of `nodes`."""
    jobs = find_jobs(nodes)
    spoken_of = {steps.ALL, *jobs, *(type(node).__name__ for node in jobs.values())}
    return {key: runner for key, runner in configured.items() if key in spoken_of}


def check(section: str, configured: Mapping[str, Runner], jobs: Iterable[str]) -> None:
    """Checks that the keys of a section name something, and that Beam understands what is said.

    Args:
      section: its name.
      configured: its content.
      jobs: ids of the nodes that are Beam jobs.

    Raises:
      ValueError: they do not, or it does not.
    """
    steps.check_keys(section, configured, jobs, steps.BEAM_COMPONENTS)
    for key, runner in configured.items():
        _check_options(f"{section}.{key}.options", runner.arguments())


def _check_options(key: str, arguments: list[str]) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.runner import create_runner

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # argparse prints its usage, and ends the process
            options = PipelineOptions([*arguments])
            options.get_all_options()
            name = options.view_as(StandardOptions).runner
    except SystemExit as error:
        raise ValueError(f"{key}: Beam refuses them: {said.getvalue().strip().rpartition('error: ')[2]}") from error
    try:
        create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise ValueError(f"{key}: the runner {name!r} cannot be used: {error}") from error


def _check_here(place: str, runner: Runner) -> None:
    """Checks that a runner can work on a workspace, which is a folder on this machine."""
    if isinstance(runner, Dataflow):
        raise ValueError(
            f"{place}.runner: 'dataflow' opens no workspace, which is a folder on this machine; set remote.beam, "
            "and use `specialist submit`"
        )
    if isinstance(runner, WorkersElsewhere) and runner.image is not None:
        raise ValueError(
            f"{place}.image: {runner.image!r}; containers that Beam starts open no workspace, which is a folder on "
            "this machine: name a worker_pool"
        )
    if isinstance(runner, JobServer) and not os.path.isfile(runner.job_server_jar):
        raise ValueError(f"{place}.job_server_jar: there is no file {runner.job_server_jar!r}; name Beam's jar")
