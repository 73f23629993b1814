import pytest

from pipeline import record
from pipeline.record import Node, Record

RUN = Record(
    {"name": "demo", "targets": {"digits": {}, "dishes": {}}},
    {"a": Node("done", 1.5, {"model": ["/x/1"], "model_run": ["/y/1"]}), "b": Node("failed", 0.0, {})},
)


def test_round_trip_and_the_last_one_of_a_workspace(tmp_path):
    path = record.write(str(tmp_path), "2026-01-02", RUN)
    record.write(str(tmp_path), "2026-01-01", Record({"targets": {}}, {}))
    assert record.read(path) == record.read(str(tmp_path)) == RUN
    assert sorted(file.name for file in (tmp_path / "runs").iterdir()) == ["2026-01-01.json", "2026-01-02.json"]
    assert RUN.targets() == ["digits", "dishes"]


def test_uris():
    assert RUN.uri("a", "model_run") == "/y/1"
    with pytest.raises(ValueError, match=r"RUN: it has no node 'c'; there are a, b"):
        RUN.uri("c", "model")
    with pytest.raises(ValueError, match=r"RUN: b gave no model: it is failed"):
        RUN.uri("b", "model")


@pytest.mark.parametrize("content", ["[1", "[]", '{"config": {}}', '{"config": {}, "nodes": {"a": {"x": 1}}}'])
def test_files_that_are_no_record(tmp_path, content):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"RUN: .*run\.json is not the record of a run"):
        record.read(str(path))


def test_nothing_there(tmp_path):
    with pytest.raises(ValueError, match=r"RUN: .* holds no record of a run"):
        record.read(str(tmp_path))
    with pytest.raises(ValueError, match=r"RUN: no workspace or record 'nowhere'"):
        record.read("nowhere")
