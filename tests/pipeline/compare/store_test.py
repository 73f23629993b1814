"""What a comparison keeps, when it is stopped at any time, moved, or damaged."""

import pathlib

import numpy as np
import pytest

from components import storage
from components.artifacts import predicted_labels
from pipeline.compare import predictions, store

IMAGES = 10


@pytest.fixture
def kept(tmp_path):
    return store.Store(store.folder_of(str(tmp_path / "workspace"), "demo"))


@pytest.fixture
def model_run(tmp_path):
    labels = np.zeros(IMAGES, np.int64)
    table = predicted_labels.table([f"image-{i}" for i in range(IMAGES)], labels, labels, np.full(IMAGES, 0.5))
    storage.write_table(str(tmp_path / predicted_labels.file_name("test")), table)
    return str(tmp_path)


def find_json(kept) -> pathlib.Path:
    (path,) = pathlib.Path(kept.folder).glob("cells/*/*/*.json")
    return path


def test_a_result_is_there_for_its_key_alone(kept, make_result, model_run):
    result = make_result("entire_source", 1.0)
    kept.write(result, "a", model_run)
    assert kept.read(result.cell, "a") == result
    assert kept.read(result.cell, "b") is None
    predictions.path(kept.folder, result.cell).unlink()
    assert kept.read(result.cell, "a") is None


def test_an_older_result_never_stands_beside_newer_predictions(kept, make_result, model_run, monkeypatch):
    result = make_result("entire_source", 1.0)
    kept.write(result, "a", model_run)

    def kill(path, text):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.files, "write_text", kill)
    with pytest.raises(KeyboardInterrupt):
        kept.write(result, "b", model_run)
    assert predictions.path(kept.folder, result.cell).exists()
    assert kept.read(result.cell, "a") is None


@pytest.mark.parametrize("text", ["", "[]", "null", '{"key": "a"}', '{"key": "a", "metrics": {}, "colour": 1}'])
def test_a_damaged_result_is_none(kept, make_result, model_run, text):
    result = make_result("entire_source", 1.0)
    kept.write(result, "a", model_run)
    find_json(kept).write_text(text)
    assert kept.read(result.cell, "a") is None


def test_seconds_are_known_in_a_workspace_that_was_moved(kept, tmp_path):
    before, after = tmp_path / "workspace", tmp_path / "moved"
    kept.note_seconds([str(before / "artifacts" / "node" / "model" / "3")], 1.5)
    before.rename(after)
    moved = store.Store(store.folder_of(str(after), "demo"))
    assert moved.seconds() == {str(after / "artifacts" / "node" / "model" / "3"): 1.5}
    pathlib.Path(moved.folder, store.SECONDS).write_text("")
    assert store.Store(moved.folder).seconds() == {}
