import pytest

from pipeline import record
from pipeline.record import Node, Record

RUN = Record(
    {"name": "demo", "targets": {"digits": {}, "dishes": {}}},
    {"a": Node("done", 1.5, {"model": ["/x/1"], "model_run": ["/y/1"]}), "b": Node("failed", 0.0, {})},
)


def whole(found: Record) -> Record:
    return found


def test_round_trip_and_the_last_one_of_a_workspace(tmp_path):
    path = record.write(str(tmp_path), "2026-01-02", RUN)
    record.write(str(tmp_path), "2026-01-01", Record({"targets": {}}, {}))
    assert record.read_newest(path, whole) == record.read_newest(str(tmp_path), whole) == (RUN, None)
    assert sorted(file.name for file in (tmp_path / "runs").iterdir()) == ["2026-01-01.json", "2026-01-02.json"]
    assert RUN.targets() == ["digits", "dishes"]


def test_what_lies_in_the_workspace_is_found_wherever_that_is_moved(tmp_path):
    before, after = tmp_path / "before", tmp_path / "after"
    uris = [f"{before}/artifacts/a/1", f"{before}-beside/1", "gs://bucket/1"]
    run = Record({}, {"a": Node("done", 1.0, {"model": uris})}, ended=False)
    record.write(str(before), "2026-01-01", run)
    assert record.read_all(str(before)) == {"2026-01-01": run}
    before.rename(after)
    (found,) = record.read_all(str(after)).values()
    assert found.nodes["a"].outputs == {"model": [f"{after}/artifacts/a/1", *uris[1:]]}


def test_a_record_of_an_earlier_version_is_of_a_run_that_ended(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "2026-01-01.json").write_text('{"config": {}, "nodes": {}}')
    assert record.read_all(str(tmp_path)) == {"2026-01-01": Record({}, {}, ended=True)}


def test_the_newest_run_that_has_it(tmp_path):
    def model_of_b(found: Record) -> str:
        return found.uri("b", "model")

    for day, uris in ((1, ["/old"]), (2, ["/new"]), (3, []), (4, [])):
        nodes = {"a": Node("failed", 1.0, {}), "b": Node("done" if uris else "blocked", 1.0, {"model": uris})}
        record.write(str(tmp_path), f"2026-01-0{day}", Record({}, nodes))
    assert record.read_newest(str(tmp_path), model_of_b) == (
        "/new",
        "this is from the run 2026-01-02; the newest run, 2026-01-04, lacks it: "
        "b has no output model: its state is blocked, and a failed",
    )
    # A file is that run and no other.
    with pytest.raises(record.MissingError, match=r"^RUN: b has no output model: its state is blocked, and a failed$"):
        record.read_newest(str(tmp_path / "runs" / "2026-01-03.json"), model_of_b)
    with pytest.raises(record.MissingError, match=r"^RUN: the run has no node 'c'; its nodes are a, b$"):
        record.read_newest(str(tmp_path), lambda found: found.uri("c", "model"))


def test_another_error_does_not_go_on_to_older_runs(tmp_path):
    record.write(str(tmp_path), "2026-01-01", RUN)
    record.write(str(tmp_path), "2026-01-02", Record({}, {}))

    def several(found: Record) -> str:
        if not found.nodes:
            raise ValueError("--target: the run has several")
        return "answered"

    with pytest.raises(ValueError, match="several"):
        record.read_newest(str(tmp_path), several)


def test_uris():
    assert RUN.uri("a", "model_run") == "/y/1"
    with pytest.raises(ValueError, match=r"RUN: the run has no node 'c'; its nodes are a, b"):
        RUN.uri("c", "model")
    with pytest.raises(ValueError, match=r"RUN: b has no output model: its state is failed"):
        RUN.uri("b", "model")


@pytest.mark.parametrize("content", ["[1", "[]", '{"config": {}}', '{"config": {}, "nodes": {"a": {"x": 1}}}'])
def test_files_that_are_no_record(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"RUN: .*run\.json is not the record of a run"):
        record.read_newest(str(path), whole)


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match=r"RUN: .* holds no record of a run"):
        record.read_newest(str(tmp_path), whole)
    with pytest.raises(ValueError, match=r"RUN: no workspace or record 'nowhere'"):
        record.read_newest("nowhere", whole)
