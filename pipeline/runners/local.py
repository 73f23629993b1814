"""Runs a pipeline on this machine, node after node with TFX's Launcher. A failed arm does not stop the others.

A node that failed costs nothing more: what needs it cannot run, and what is only there for such nodes does not. A node
that waits for others' end, not for their success, runs with what is there, and is told what failed.
"""

import dataclasses
import datetime
import enum
import heapq
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import pipeline_pb2

from components.transfer_report.executor import FAILED
from pipeline import metadata_file
from trainer.loop import interruption


class State(enum.Enum):
    """The final state of a node."""

    DONE = "done"  # the executor ran
    REUSED = "reused"  # an earlier execution had the same inputs, parameters and code
    RESOLVED = "resolved"  # a resolver or importer, which has no executor
    FAILED = "failed"
    BLOCKED = "blocked"  # an upstream node failed or gave no output, or all nodes that it is there for cannot run


@dataclasses.dataclass(frozen=True)
class NodeResult:
    """The result of a node.

    Attributes:
      node: id of the node.
      state: its final state.
      seconds: its duration.
      outputs: output key → artifacts; empty if the node failed.
      error: why the node failed or was blocked, or None.
    """

    node: str
    state: State
    seconds: float
    outputs: dict[str, list[mlmd.Artifact]] = dataclasses.field(default_factory=dict)
    error: Exception | None = None

    def uris(self) -> dict[str, list[str]]:
        """Returns the URIs of the artifacts, by output key."""
        return {key: [artifact.uri for artifact in artifacts] for key, artifacts in self.outputs.items()}


def run(
    pipeline: tfx_pipeline.Pipeline,
    *,
    order: Sequence[str] = (),
    on_start: Callable[[str], None] = lambda node: None,
    on_end: Callable[[NodeResult], None] = lambda result: None,
    describe: Callable[[Exception], str] = str,
) -> list[NodeResult]:
    """Runs `pipeline` and returns the results of its nodes, in the order of execution.

    Args:
      pipeline: a pipeline with a local metadata connection, whose root is a folder in the workspace.
      order: ids of all nodes: of those that can run, the first one runs. Empty: the pipeline's order.
      on_start, on_end: called before and after each node.
      describe: puts an error into words, for a node that reports what failed.
    """
    compiled = CompiledPipeline(pipeline)
    if order:
        compiled.sort(order)
    workspace = os.path.dirname(str(pipeline.pipeline_info.pipeline_root))
    metadata_file.update(compiled.connection, workspace)
    metadata_file.note_place(workspace)
    with metadata_file.use_keys_without_place(workspace):
        return _run_nodes(compiled, on_start, on_end, describe)


class CompiledPipeline:
    """A pipeline whose nodes can be launched one by one.

    Attributes:
      nodes: in the order of execution.
      connection: to the metadata.
    """

    def __init__(self, pipeline: tfx_pipeline.Pipeline):
        ir = compiler.Compiler().compile(pipeline)
        runtime_parameter_utils.substitute_runtime_parameter(
            ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: datetime.datetime.now().isoformat()}
        )
        self._ir = ir
        self._deployment = runner_utils.extract_local_deployment_config(ir)
        connection = self._deployment.metadata_connection_config
        self.connection = getattr(connection, connection.WhichOneof("connection_config"))
        self.nodes = [entry.pipeline_node for entry in ir.nodes]

    def sort(self, order: Sequence[str]) -> None:
        """Sorts the nodes such that of those that can run the first one in `order` runs; their ids are in it."""
        rank = {name: number for number, name in enumerate(order)}
        nodes = {node.node_info.id: node for node in self.nodes}
        missing = {name: len(node.upstream_nodes) for name, node in nodes.items()}
        ready = [(rank[name], name) for name, count in missing.items() if count == 0]
        heapq.heapify(ready)
        self.nodes = []
        while ready:
            _, name = heapq.heappop(ready)
            self.nodes.append(nodes[name])
            for following in nodes[name].downstream_nodes:
                missing[following] -= 1
                if missing[following] == 0:
                    heapq.heappush(ready, (rank[following], following))

    def takes_what_is_there(self, node: pipeline_pb2.PipelineNode) -> bool:
        """Returns whether `node` waits for the end of what it needs, and not for its success."""
        return node.execution_options.strategy == pipeline_pb2.NodeExecutionOptions.ALL_UPSTREAM_NODES_COMPLETED

    def launch(
        self, node: pipeline_pb2.PipelineNode, launcher_class: type[launcher.Launcher] = launcher.Launcher
    ) -> tuple[State, dict[str, list[mlmd.Artifact]]]:
        """Runs `node`, or finds its results; returns its state and its outputs."""
        node_id = node.node_info.id
        info = launcher_class(
            pipeline_node=node,
            mlmd_connection=metadata.Metadata(self.connection),
            pipeline_info=self._ir.pipeline_info,
            pipeline_runtime_spec=self._ir.runtime_spec,
            executor_spec=runner_utils.extract_executor_spec(self._deployment, node_id),
            custom_driver_spec=runner_utils.extract_custom_driver_spec(self._deployment, node_id),
        ).launch()
        return _read_outcome(self.connection, info)


def _run_nodes(
    compiled: CompiledPipeline,
    on_start: Callable[[str], None],
    on_end: Callable[[NodeResult], None],
    describe: Callable[[Exception], str],
) -> list[NodeResult]:
    results: dict[str, NodeResult] = {}
    patient = {node.node_info.id for node in compiled.nodes if compiled.takes_what_is_there(node)}
    downstream = {
        node.node_info.id: [name for name in node.downstream_nodes if name not in patient] for node in compiled.nodes
    }
    for node in compiled.nodes:
        node_id = node.node_info.id
        on_start(node_id)
        start = time.perf_counter()
        ended = {name for name, result in results.items() if result.state in (State.FAILED, State.BLOCKED)}
        lost = _find_lost(ended, downstream)
        useless = _find_useless(lost, downstream)
        blockers = [name for name in node.upstream_nodes if name in lost and node_id not in patient]
        if node_id in patient:
            _tell_failed(node, {name: describe(error) for name in ended if (error := results[name].error)})
        served = downstream[node_id]
        if blockers:
            result = NodeResult(node_id, State.BLOCKED, 0.0, error=RuntimeError(f"needs {', '.join(blockers)}"))
        elif node_id in useless:
            reason = RuntimeError(f"is only there for {', '.join(served)}, which cannot run")
            result = NodeResult(node_id, State.BLOCKED, 0.0, error=reason)
        else:
            try:
                state, outputs = compiled.launch(node)
                result = NodeResult(node_id, state, time.perf_counter() - start, outputs)
            except interruption.Interrupted:
                _cancel_newest(compiled.connection)
                raise
            except Exception as error:  # the other arms continue; the result holds the error
                if number := interruption.received():  # the error is what a library made of the signal
                    _cancel_newest(compiled.connection)
                    raise interruption.Interrupted(number) from error
                logging.getLogger(__name__).exception("node %s failed", node_id)
                result = NodeResult(node_id, State.FAILED, time.perf_counter() - start, error=error)
        results[node_id] = result
        on_end(result)
    return list(results.values())


def _tell_failed(node: pipeline_pb2.PipelineNode, reasons: Mapping[str, str]) -> None:
    """Puts into the parameters of `node`, if it has one for it, which nodes failed or were blocked, and why."""
    if FAILED in node.parameters.parameters:
        text = json.dumps(reasons, sort_keys=True)
        node.parameters.parameters[FAILED].field_value.string_value = text


def _find_lost(lost: Iterable[str], downstream: Mapping[str, Sequence[str]]) -> set[str]:
    """Returns the nodes `lost`, and all that need one of them."""
    found, waiting = set(lost), list(lost)
    while waiting:
        new = set(downstream[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def _find_useless(lost: Iterable[str], downstream: Mapping[str, Sequence[str]]) -> set[str]:
    """Returns the nodes that are only there for nodes which are lost or useless themselves.

    Args:
      lost: names of nodes.
      downstream: node → the nodes that need it, in the order of execution.
    """
    found = set(lost)
    for node, served in reversed(list(downstream.items())):
        if served and found.issuperset(served):
            found.add(node)
    return found.difference(lost)


def _cancel_newest(connection) -> None:
    """Says of the execution under way, which is the newest, that it was stopped: it has not failed."""
    newest = metadata_store.ListOptions(limit=1, order_by=metadata_store.OrderByField.ID, is_asc=False)
    with metadata.Metadata(connection) as handle:
        for execution in handle.store.get_executions(newest):
            if execution.last_known_state in (mlmd.Execution.RUNNING, mlmd.Execution.FAILED):
                execution.last_known_state = mlmd.Execution.CANCELED
                handle.store.put_executions([execution])


def _read_outcome(connection, info) -> tuple[State, dict[str, list[mlmd.Artifact]]]:
    if info is None or not info.execution_id:
        return State.BLOCKED, {}
    with metadata.Metadata(connection) as handle:
        [execution] = handle.store.get_executions_by_id([info.execution_id])
        events = handle.store.get_events_by_execution_ids([info.execution_id])
        # What a resolver chooses is an internal output.
        events = [event for event in events if event.type in (mlmd.Event.OUTPUT, mlmd.Event.INTERNAL_OUTPUT)]
        artifacts = {a.id: a for a in handle.store.get_artifacts_by_id([event.artifact_id for event in events])}
    outputs: dict[str, list[mlmd.Artifact]] = {}
    for event in events:
        outputs.setdefault(event.path.steps[0].key, []).append(artifacts[event.artifact_id])
    if execution.last_known_state == mlmd.Execution.FAILED:  # before its executor, of which TFX raises nothing
        result = execution_lib.get_execution_result(execution, ignore_parse_errors=True)
        # The text of tracebacks, the cause first, with each line break doubled.
        cause = result.result_message.replace("\n\n", "\n").partition("\n\nThe above exception")[0] if result else ""
        raise RuntimeError(cause or "its inputs are missing")
    if info.pipeline_node.node_info.type.name.startswith("tfx.dsl.components.common."):
        return State.RESOLVED, outputs
    cached = execution.last_known_state == mlmd.Execution.CACHED
    return (State.REUSED if cached else State.DONE), outputs
