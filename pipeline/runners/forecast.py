"""What a run would do, without doing it."""

import contextlib
import tempfile

from tfx.orchestration.portable import launcher

from pipeline import metadata_file
from pipeline import pipeline as pipeline_module
from pipeline.config.run import Config
from pipeline.place import Place
from pipeline.runners import local


class _WouldRun(Exception):  # noqa: N818 - it is no error
    """The executor of a node would run."""


class _Launcher(launcher.Launcher):
    def _run_executor(self, execution_info):
        raise _WouldRun


def forecast(
    config: Config, workspace: str, until: pipeline_module.Until | None = None
) -> dict[str, local.State | None]:
    """Returns the state of each node after a run that goes well: RESOLVED, REUSED, or None if its executor would run.

    What needs a node that would run is taken to run, too; it may be reused after all if that node's result stays the
    same. All is tried on a copy of the metadata: nothing in `workspace` is changed.
    """
    states: dict[str, local.State | None] = {}
    with tempfile.TemporaryDirectory() as folder:
        metadata_file.copy_file(workspace, folder)
        compiled = local.CompiledPipeline(
            pipeline_module.create_pipeline(config, Place.local(workspace, state=folder), until)
        )
        metadata_file.update(compiled.connection, workspace)
        with metadata_file.use_keys_without_place(workspace):
            for node in compiled.nodes:
                node_id = node.node_info.id
                states[node_id] = None
                if all(states[name] is not None for name in node.upstream_nodes):
                    with contextlib.suppress(_WouldRun):
                        states[node_id], _ = compiled.launch(node, _Launcher)
    return states
