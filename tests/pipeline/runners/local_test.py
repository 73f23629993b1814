"""The local runner: what each node's end is called, and that a failure stops only what depends on it."""

import json
import pathlib

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.common import resolver
from tfx.dsl.experimental.node_execution_options.utils import NodeExecutionOptions, TriggerStrategy
from tfx.orchestration import metadata, pipeline
from tfx.types import Channel, standard_artifacts

from pipeline.runners import local
from pipeline.runners.local import State
from pipeline.terminal.errors import one_line


@component
def Write(text: Parameter[str], result: OutputArtifact[standard_artifacts.String]):
    if text == "broken":
        raise ValueError("text: 'broken' cannot be written")
    result.value = text


@component
def Append(
    left: InputArtifact[standard_artifacts.String],
    text: Parameter[str],
    result: OutputArtifact[standard_artifacts.String],
):
    result.value = left.value + text


@pytest.fixture
def run(tmp_path):
    def run(first: str, second: str, tail: str = "!") -> dict[str, local.NodeResult]:
        """Runs first → first-tail beside second → second-tail."""
        nodes: list = []
        for name, text in (("first", first), ("second", second)):
            head = Write(text=text).with_id(name)
            nodes += [head, Append(left=head.outputs["result"], text=tail).with_id(f"{name}-tail")]
        events: list[str] = []
        results = local.run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(tmp_path / "artifacts"),
                components=nodes,
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "db.sqlite")),
            ),
            on_start=events.append,
            on_end=lambda result: events.append(f"{result.node} {result.state.value}"),
        )
        assert events == [event for r in results for event in (r.node, f"{r.node} {r.state.value}")]
        return {result.node: result for result in results}

    return run


def run_chain(tmp_path, *broken: str) -> dict[str, State]:
    """Runs a → b → both → end and a → other, c → both, where `broken` fail."""
    heads = {name: Write(text="broken" if name in broken else name).with_id(name) for name in ("c", "a")}

    def after(name: str, *before) -> None:
        first = next(iter(before))
        text = before[-1].outputs["result"].future()[0].value if len(before) > 1 else "!"
        heads[name] = Append(left=first.outputs["result"], text=text).with_id(name)

    after("b", heads["a"])
    after("other", heads["a"])
    after("both", heads["b"], heads["c"])
    after("end", heads["both"])
    results = local.run(
        pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(tmp_path / "artifacts"),
            components=list(heads.values()),
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "db.sqlite")),
        )
    )
    return {result.node: result.state for result in results}


def states(results: dict[str, local.NodeResult]) -> dict[str, State]:
    return {node: result.state for node, result in results.items()}


def test_only_what_changed_runs_again(run):
    assert set(states(run("a", "b")).values()) == {State.DONE}
    again = run("a", "b")
    assert set(states(again).values()) == {State.REUSED}
    assert all(result.outputs["result"] for result in again.values())
    assert states(run("a", "c")) == {
        "first": State.REUSED,
        "first-tail": State.REUSED,
        "second": State.DONE,
        "second-tail": State.DONE,
    }
    assert states(run("a", "b", tail="?")) == {
        "first": State.REUSED,
        "first-tail": State.DONE,
        "second": State.REUSED,
        "second-tail": State.DONE,
    }


def test_a_failure_blocks_what_depends_on_it_and_nothing_else(run):
    results = run("broken", "b")
    assert states(results) == {
        "first": State.FAILED,
        "first-tail": State.BLOCKED,
        "second": State.DONE,
        "second-tail": State.DONE,
    }
    assert "'broken' cannot be written" in str(results["first"].error)
    assert "needs first" in str(results["first-tail"].error)
    assert results["first"].outputs == results["first-tail"].outputs == {}


class Refuse(resolver.ResolverStrategy):
    """A strategy that fails."""

    def resolve_artifacts(self, store, input_dict):
        raise ValueError("serving: cannot be read")


def test_a_resolver_that_fails_says_why(tmp_path):
    chosen = resolver.Resolver(strategy_class=Refuse, left=Channel(type=standard_artifacts.String)).with_id("chosen")
    results = local.run(
        pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[chosen, Append(left=chosen.outputs["left"], text="!").with_id("tail")],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "db.sqlite")),
        )
    )
    assert [result.state for result in results] == [State.FAILED, State.BLOCKED]
    assert one_line(results[0].error) == "serving: cannot be read"


def test_what_failed_is_tried_again(run):
    assert states(run("broken", "b"))["first"] is State.FAILED
    assert states(run("broken", "b"))["first"] is State.FAILED
    assert set(states(run("a", "b")).values()) == {State.DONE, State.REUSED}


def test_what_is_only_there_for_nodes_that_cannot_run_does_not_run(tmp_path):
    found = run_chain(tmp_path, "c")
    # b is only there for what needs c; a is there for `other` too.
    assert found == {
        "c": State.FAILED,
        "a": State.DONE,
        "b": State.BLOCKED,
        "other": State.DONE,
        "both": State.BLOCKED,
        "end": State.BLOCKED,
    }


def test_what_is_only_there_for_what_cannot_run_is_useless_however_far_above():
    downstream = {"a": ["b"], "b": ["c"], "x": ["c", "y"], "d": ["c"], "c": [], "y": []}
    assert local._find_useless({"c", "d"}, downstream) == {"a", "b"}
    assert local._find_useless(set(), downstream) == set()


@component
def Tell(
    failed: Parameter[str],
    result: OutputArtifact[standard_artifacts.String],
    first: InputArtifact[standard_artifacts.String] = None,
    second: InputArtifact[standard_artifacts.String] = None,
):
    result.value = f"{first and first.value} {second and second.value} {failed}"


@pytest.fixture
def tell(tmp_path):
    def tell(first: str, second: str) -> tuple[dict[str, State], str]:
        """Runs first and second → second-tail, and what tells of all; returns the states, and what it says."""
        heads = {name: Write(text=text).with_id(name) for name, text in (("first", first), ("second", second))}
        tail = Append(left=heads["second"].outputs["result"], text="!").with_id("second-tail")
        report = Tell(failed="{}", first=heads["first"].outputs["result"], second=tail.outputs["result"])
        report.node_execution_options = NodeExecutionOptions(TriggerStrategy.ALL_UPSTREAM_NODES_COMPLETED)
        results = local.run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(tmp_path / "artifacts"),
                components=[*heads.values(), tail, report.with_id("report")],
                enable_cache=True,
                metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "db.sqlite")),
            ),
            describe=one_line,
        )
        said = results[-1].outputs["result"][0].uri
        return {result.node: result.state for result in results}, pathlib.Path(said).read_text()

    return tell


def test_a_node_that_waits_for_the_end_runs_with_what_is_there(tell):
    found, said = tell("a", "broken")
    assert found == {
        "first": State.DONE,
        "second": State.FAILED,
        "second-tail": State.BLOCKED,
        "report": State.DONE,
    }
    failed = {"second": "text: 'broken' cannot be written", "second-tail": "needs second"}
    assert said == f"a None {json.dumps(failed)}"
    assert tell("a", "broken")[0]["report"] is State.REUSED  # the same failure is no news
    assert tell("a", "b") == (dict.fromkeys(found, State.DONE) | {"first": State.REUSED}, "a b! {}")
    assert set(tell("a", "b")[0].values()) == {State.REUSED}


def test_nothing_runs_for_a_node_that_only_tells_of_it(tell):
    # `first` is there for the report alone, which has to be made in any case; `second` failed.
    assert tell("broken", "broken")[0]["report"] is State.DONE
