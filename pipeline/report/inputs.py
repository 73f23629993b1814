"""What a report is made of: the configuration, the artifacts that are there, and the nodes with their ends."""

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.transfer_report import block
from components.transfer_report.executor import ReportArgs
from pipeline.config.run import Config
from pipeline.nodes import ids
from pipeline.nodes.report import name_of, to_yaml
from pipeline.record import Record
from pipeline.report import lineage, metadata

_LOST = ("failed", "blocked")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What a report is made of.

    Attributes:
      config: the configuration, with the values of the run's parameters.
      configuration: as text, as the report shows it.
      artifacts: `<node>.<output>` → artifact, of those that are there.
      seconds: the same → how long the node took that made it, as far as that is known.
      nodes: node → how it ended, in the order of execution.
      workspace: the folder of a run on this machine; None elsewhere.
    """

    config: Config
    configuration: str
    artifacts: Mapping[str, mlmd.Artifact]
    seconds: Mapping[str, float]
    nodes: Mapping[str, block.Node]
    workspace: str | None = None

    def uri(self, node: str, output: str) -> str | None:
        """Returns the URI of an artifact; None: it is not there."""
        artifact = self.artifacts.get(name_of(node, output))
        return artifact.uri if artifact else None

    def path(self, node: str, output: str, *names: str) -> str | None:
        """Returns the path of a file of an artifact; None: the artifact is not there."""
        uri = self.uri(node, output)
        return None if uri is None else os.path.join(uri, *names)

    def seconds_of(self, node: str, output: str) -> float:
        """Returns how long it took to make an artifact; 0.0: that is not known."""
        return self.seconds.get(name_of(node, output), 0.0)

    def why_missing(self, node: str) -> str:
        """Returns why a node has no results: the first node that failed of those that it needs, and its error."""
        seen, waiting = {node}, [node]
        for name in waiting:
            found = self.nodes.get(name)
            if found is None:
                continue
            lost = [need for need in found.needs if need in self.nodes and self.nodes[need].state in _LOST]
            if found.state == "failed" or (found.state == "blocked" and not lost):
                return f"{name} {found.state}{f': {found.note}' if found.note else ''}"
            waiting += [need for need in lost if need not in seen]
            seen.update(lost)
        return f"{node} has no results" if node in self.nodes else f"there is no node {node}"


def from_args(args: ReportArgs) -> Inputs:
    """Returns what a report_fn of `pipeline.nodes.report` was given, with what the metadata or the records add."""
    config = _set_parameters(parse(args.settings["configuration"]), args.parameters)
    # To read a property that is not there would add it.
    artifacts = {name: copy.deepcopy(artifact.mlmd_artifact) for name, artifact in args.artifacts.items()}
    workspace = metadata.find_workspace(args.folder)
    if workspace is None:
        nodes = lineage.of_inputs(args)
        seconds = {name: took for name in artifacts if (took := nodes[name.partition(".")[0]].seconds) is not None}
    else:
        made = metadata.read_artifacts(workspace, {artifact.uri for artifact in artifacts.values()})
        seconds = {name: made[artifact.uri].seconds for name, artifact in artifacts.items() if artifact.uri in made}
        nodes = lineage.of_metadata(args, workspace)
    text = to_yaml(config) if args.parameters else args.settings["configuration"]
    return Inputs(config, text, artifacts, seconds, nodes, workspace)


def from_record(record: Record, workspace: str) -> Inputs:
    """Returns what the record of a run in the folder `workspace`, or of a comparison, has."""
    config = Config.model_validate(_without_none(record.config))
    uris = {
        name_of(node, key): found[0]
        for node, each in record.nodes.items()
        for key, found in each.outputs.items()
        if found
    }
    made = metadata.read_artifacts(workspace, set(uris.values()))
    artifacts = {
        name: made[uri].artifact if uri in made else mlmd.Artifact(uri=uri)
        for name, uri in uris.items()
        if os.path.exists(uri)
    }
    seconds = {name: made[uri].seconds for name, uri in uris.items() if uri in made}
    return Inputs(config, to_yaml(config), artifacts, seconds, lineage.of_record(record), workspace)


def parse(text: str) -> Config:
    """Returns the configuration in a text from `pipeline.nodes.report.to_yaml`."""
    return Config.model_validate(yaml.safe_load(text))


def list_nodes(inputs: Inputs, kinds: Iterable[str]) -> list[str]:
    """Returns the nodes of these kinds, in the order of execution."""
    wanted = set(kinds)
    return [node for node in inputs.nodes if ids.kind_of(node) in wanted]


def _without_none(value: Any) -> Any:
    # What was not set stands in a record as null, which some keys do not take.
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return [_without_none(each) for each in value] if isinstance(value, list) else value


def _set_parameters(config: Config, values: Mapping[str, Any]) -> Config:
    """Returns `config` with the values that the parameters of the pipeline had in a run."""
    changes: dict[str, Any] = {}
    for name, value in values.items():
        if name == "seed":
            changes["seed"] = value
        elif name == "n":
            changes["resample"] = config.resample.model_copy(update={"n": value})
        else:
            recipe = name.removesuffix("_steps")
            changes[recipe] = getattr(config, recipe).model_copy(update={"steps": value})
    return config.model_copy(update=changes)
