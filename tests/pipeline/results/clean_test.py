"""What is removed from a workspace: all that no kept run needs, and nothing else."""

import os
import pathlib

import pytest
from tfx.orchestration import metadata
from tfx.types import standard_artifacts

from pipeline import metadata_file, record
from pipeline.record import Node, Record
from pipeline.results import clean


def write(path: pathlib.Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.fixture
def workspace(tmp_path) -> pathlib.Path:
    """Runs 1 to 3 ended well, 4 failed and 5 was stopped. Each trained `a` anew; `b` is of the first, and reused."""
    folder = tmp_path / "workspace"
    for number in range(1, 6):
        state = {4: "failed"}.get(number, "done")
        nodes = {
            "b": Node("done" if number == 1 else "reused", 1.0, {"index": [f"{folder}/artifacts/b/index/1"]}),
            "a": Node(state, 1.0, {} if number == 4 else {"model": [f"{folder}/artifacts/a/model/{number}"]}),
        }
        if number == 5:
            del nodes["a"]
        record.write(str(folder), f"2026-01-0{number}", Record({}, nodes, ended=number != 5))
        write(folder / "artifacts" / "a" / "model" / str(number) / "x" / "weights", 1000 * number)
        write(folder / "logs" / f"2026-01-0{number}.log", number)
    write(folder / "artifacts" / "b" / "index" / "1" / "rows", 7)
    write(folder / "artifacts" / "b" / ".system" / "executor_execution" / "3" / "left", 11)
    write(folder / "logs" / "2026-01-06.log", 6)  # of a run that has no record yet
    for node, attempt in (("a", "old"), ("a", "new"), ("b", "done")):
        for kind in ("checkpoints", "working"):
            write(folder / kind / node / attempt / "part", 100)
    os.utime(folder / "checkpoints" / "a" / "old", (1, 1))
    os.utime(folder / "working" / "a" / "old", (1, 1))
    for path in ("checkpoints/policy.json", "working/a/policy.json", "serving/digits/1/saved_model.pb"):
        write(folder / path, 50)
    write(folder / "runs" / "2026-01-07.tmp", 3)
    with metadata.Metadata(metadata_file.connect(str(folder))) as handle:
        for number in range(1, 6):
            model = standard_artifacts.Model()
            model.uri = f"{folder}/artifacts/a/model/{number}"
            model.mlmd_artifact.state = model.mlmd_artifact.LIVE
            model.mlmd_artifact.type_id = handle.store.put_artifact_type(model.artifact_type)
            handle.store.put_artifacts([model.mlmd_artifact])
    return folder


SAVED_MODEL = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
ATTEMPTS = {"checkpoints/a/old": 100, "checkpoints/b/done": 100, "working/a/old": 100, "working/b/done": 100}
ALWAYS = {**ATTEMPTS, "artifacts/b/.system": 11, "runs/2026-01-07.tmp": 3}
MODELS = {f"artifacts/a/model/{number}": 1000 * number for number in range(1, 6)}


@pytest.mark.parametrize(("keep", "gone"), [(1, (1, 2)), (2, (1,)), (3, ()), (9, ())])
def test_what_no_kept_run_needs_is_removed(workspace, keep, gone):
    # What a failed or stopped run has left is in no record.
    models = {path: size for path, size in MODELS.items() if int(path[-1]) in (*gone, 4, 5)}
    plan = clean.make_plan(str(workspace), keep)
    found = {item.path: item.size for item in plan.unneeded}
    records = {path: found.pop(path) for path in list(found) if path.startswith("runs/") and path.endswith(".json")}
    logs = {f"logs/2026-01-0{number}.log": number for number in gone}
    assert found == {**models, **logs, **ALWAYS}
    assert set(records) == {f"runs/2026-01-0{number}.json" for number in gone}
    assert plan.kept == [f"2026-01-0{number}" for number in range(5, 0, -1) if number not in gone]

    every = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()}
    clean.remove(str(workspace), plan)
    left = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file()}
    removed = {path for path in every for item in plan.unneeded if f"{path}/".startswith(f"{item.path}/")}
    assert removed and left == every - removed | {".place"}
    assert {"serving/digits/1/saved_model.pb", "working/a/new/part", "checkpoints/policy.json"} <= left
    with metadata.Metadata(metadata_file.connect(str(workspace))) as handle:
        live = {a.uri for a in handle.store.get_artifacts() if a.state == a.LIVE}
    assert live == {f"{workspace}/{path}" for path in set(MODELS) - set(models)}
    again = clean.make_plan(str(workspace), keep)
    assert again.unneeded == [] and again.kept_size == plan.kept_size + (workspace / ".place").stat().st_size


def test_the_model_that_is_served_is_kept_with_its_blessing(workspace):
    """Run 1 pushed it. Its outputs are those of a real run: the copy that its Pusher keeps tells which model it is."""
    for number, graph in ((1, 4), (2, 9)):
        run = record.read_all(str(workspace))[f"2026-01-0{number}"]
        folder = workspace / "artifacts" / "p"
        outputs = {key: f"{folder}/{key}/{number}" for key in ("pushed_model", "blessing", "model")}
        for path in outputs.values():
            for name in SAVED_MODEL:
                write(pathlib.Path(path, name), graph)
        nodes = {
            "digits-pusher": Node("done", 1.0, {"pushed_model": [outputs["pushed_model"]]}),
            "digits-evaluator": Node("done", 1.0, {"blessing": [outputs["blessing"]]}),
            "digits-entire-source-finetune": Node("done", 1.0, {"model": [outputs["model"]]}),
        }
        config = {"targets": {"digits": {"push": "entire_source"}}}
        record.write(str(workspace), f"2026-01-0{number}", Record(config, {**run.nodes, **nodes}))
    for name in SAVED_MODEL:
        write(workspace / "serving" / "digits" / "2" / name, 4)
    unneeded = {item.path for item in clean.make_plan(str(workspace), 1).unneeded}
    assert {path for path in unneeded if "/p/" in path} == {
        f"artifacts/p/{key}/2" for key in ("pushed_model", "blessing", "model")
    }
    # The record by which it is found stays, too.
    assert "runs/2026-01-02.json" in unneeded and "runs/2026-01-01.json" not in unneeded
    clean.remove(str(workspace), clean.make_plan(str(workspace), 1))
    assert clean.make_plan(str(workspace), 1).unneeded == []


def test_a_run_until_the_prior_does_not_take_the_place_of_a_whole_one(workspace):
    nodes = {"b": Node("reused", 1.0, {"index": [f"{workspace}/artifacts/b/index/1"]})}
    record.write(str(workspace), "2026-01-08", Record({}, nodes, until="prior"))
    assert clean.make_plan(str(workspace), 1).kept == [f"2026-01-0{number}" for number in (8, 5, 4, 3)]
    for number in range(1, 6):
        (workspace / "runs" / f"2026-01-0{number}.json").unlink()
    record.write(str(workspace), "2026-01-07", Record({}, nodes, until="prior"))
    assert clean.make_plan(str(workspace), 1).kept == ["2026-01-08"]


def test_no_workspace(tmp_path):
    with pytest.raises(ValueError, match=r"^RUN: .* holds no record of a run"):
        clean.make_plan(str(tmp_path), 1)
