"""The record of a run: which artifact each node gave, so that a run can be looked at without its metadata store."""

import dataclasses
import json
import os
import pathlib

FOLDER = "runs"


@dataclasses.dataclass(frozen=True)
class Node:
    """How a node of a run ended: its state, how long it took, and its artifacts' URIs by output key."""

    state: str
    seconds: float
    outputs: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Record:
    """A run.

    Attributes:
      config: the configuration, as its file and overrides gave it.
      nodes: by node id, in the order in which they ran.
    """

    config: dict
    nodes: dict[str, Node]

    def uri(self, node: str, output: str) -> str:
        """Returns the URI of an output's artifact.

        Raises:
          ValueError: the run has no such node, or the node gave nothing.
        """
        if node not in self.nodes:
            raise ValueError(f"RUN: it has no node {node!r}; there are {', '.join(self.nodes)}")
        found = self.nodes[node].outputs.get(output)
        if not found:
            raise ValueError(f"RUN: {node} gave no {output}: it is {self.nodes[node].state}")
        return found[0]

    def targets(self) -> list[str]:
        """Returns the names of the targets."""
        return list(self.config["targets"])


def write(workspace: str, name: str, record: Record) -> str:
    """Writes `record` as `<workspace>/runs/<name>.json` and returns its path."""
    path = pathlib.Path(workspace, FOLDER, f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(dataclasses.asdict(record), indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, path)
    return str(path)


def read(run: str) -> Record:
    """Reads the record in the file `run`, or the last one of the workspace `run`.

    Raises:
      ValueError: there is none.
    """
    path = pathlib.Path(run)
    if path.is_dir():
        records = sorted((path / FOLDER).glob("*.json"))
        if not records:
            raise ValueError(f"RUN: {run!r} holds no record of a run; name a workspace of `specialist run`")
        path = records[-1]
    if not path.is_file():
        raise ValueError(f"RUN: no workspace or record {run!r}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Record(content["config"], {name: Node(**node) for name, node in content["nodes"].items()})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"RUN: {path} is not the record of a run") from error
