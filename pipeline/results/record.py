"""The record of a run: which artifact each node gave, so that a run can be looked at without its metadata store."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable
from typing import TypeVar

FOLDER = "runs"

T = TypeVar("T")


class MissingError(ValueError):
    """A run has not got what it is asked for; another one of the workspace may have."""


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
          MissingError: the run has no such node, or the node gave nothing.
        """
        if node not in self.nodes:
            raise MissingError(f"RUN: it has no node {node!r}; there are {', '.join(self.nodes)}")
        found = self.nodes[node].outputs.get(output)
        if not found:
            message = f"RUN: {node} gave no {output}: it is {self.nodes[node].state}"
            failed = [name for name, other in self.nodes.items() if other.state == "failed" and name != node]
            raise MissingError(f"{message}, and {', '.join(failed)} failed" if failed else message)
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


def ask(run: str, question: Callable[[Record], T]) -> tuple[T, str | None]:
    """Returns what `question` finds in the newest record of `run` that has it, and a note if a newer one has not.

    Args:
      run: a workspace, or a file in its folder of records.
      question: raises `MissingError` if a record has no answer.

    Raises:
      ValueError: there is no record.
      MissingError: none has an answer; it says what the newest one lacks.
    """
    lacks: list[MissingError] = []
    paths = _paths(run)
    for path in paths:
        try:
            answer = question(_read(path))
        except MissingError as missing:
            lacks.append(missing)
            continue
        if not lacks:
            return answer, None
        lack = str(lacks[0]).removeprefix("RUN: ")
        return answer, f"this is of the run {path.stem}; the newest, {paths[0].stem}, has not got it: {lack}"
    raise lacks[0]


def _paths(run: str) -> list[pathlib.Path]:
    """Returns the records of `run`, the newest first."""
    path = pathlib.Path(run)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"RUN: no workspace or record {run!r}")
    paths = sorted((path / FOLDER).glob("*.json"), reverse=True)
    if not paths:
        raise ValueError(f"RUN: {run!r} holds no record of a run; name a workspace of `specialist run`")
    return paths


def _read(path: pathlib.Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Record(content["config"], {name: Node(**node) for name, node in content["nodes"].items()})
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"RUN: {path} is not the record of a run") from error
