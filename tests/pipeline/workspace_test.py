"""Where a run may work, and that it works there alone."""

import os

import pytest

from pipeline import workspace


def test_a_relative_path_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert workspace.resolve_workspace("a b/ü") == str(tmp_path / "a b" / "ü")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["run[1", "run1]", "all*", "why?", "back\\slash"])
def test_what_tfx_takes_for_a_pattern_is_refused_in_every_part(tmp_path, monkeypatch, name):
    with pytest.raises(ValueError, match=r"--workspace: '.*' has a '.{1,2}', which TFX would take for a pattern"):
        workspace.resolve_workspace(f"{name}/sub")
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(ValueError, match=r"name a folder without any of \[ \] \* \? \\$"):
        workspace.resolve_workspace("plain")


@pytest.mark.parametrize(("path", "message"), [("", "it is empty"), ("n\udcff", "is not UTF-8")])
def test_what_is_no_path_of_a_workspace(path, message):
    with pytest.raises(ValueError, match=f"^--workspace: .*{message}; name a"):
        workspace.resolve_workspace(path)


def test_one_run_a_workspace(tmp_path):
    folder = str(tmp_path / "a" / "workspace")
    with workspace.lock_workspace(folder):
        second = workspace.lock_workspace(folder)
        with pytest.raises(
            RuntimeError, match=rf"--workspace: another run, process {os.getpid()}, is using .*workspace"
        ):
            second.__enter__()
    with workspace.lock_workspace(folder):  # free again
        pass


@pytest.mark.parametrize("name", ["file", "file/sub"])
def test_a_file_is_no_workspace(tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match=r"--workspace: '.*' is a file, or in one; name a folder"):
        workspace.lock_workspace(str(tmp_path / name)).__enter__()
    assert (tmp_path / "file").read_text() == "mine"


def test_the_home_is_expanded_and_no_folder_is_named_after_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert workspace.resolve_workspace("~/runs") == "/home/ada/runs"
    with pytest.raises(ValueError, match=r"^--workspace: '~nobody-has-it/x' has ~nobody-has-it, but no user"):
        workspace.resolve_workspace("~nobody-has-it/x")


def test_a_run_that_does_nothing_leaves_nothing(tmp_path):
    folder = tmp_path / "a" / "workspace"
    with pytest.raises(KeyError), workspace.lock_workspace(str(folder)):
        raise KeyError
    assert not list(tmp_path.iterdir())
    with workspace.lock_workspace(str(folder)):
        (folder / "file").touch()
    assert sorted(os.listdir(folder)) == [".lock", "file"]
    (tmp_path / "mine").mkdir()  # what was there before stays
    with workspace.lock_workspace(str(tmp_path / "mine")):
        pass
    assert os.listdir(tmp_path / "mine") == [".lock"]
