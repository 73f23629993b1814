import pytest

from components.artifacts import versions
from components.pusher import rollback


@pytest.fixture
def folder(tmp_path):
    for version in ("101", "102", "103"):
        (tmp_path / version / "variables").mkdir(parents=True)
        (tmp_path / version / "saved_model.pb").write_text(version)
        for name in ("variables.index", "variables.data-00000-of-00001"):
            (tmp_path / version / "variables" / name).write_text(version)
    (tmp_path / "104").mkdir()  # half-written
    return tmp_path


@pytest.mark.parametrize("renames", [True, False], ids=["a file system", "an object store"])
def test_the_one_before_is_served_again(folder, monkeypatch, renames):
    monkeypatch.setattr(rollback, "renames_folders", lambda path: renames)
    assert rollback.withdraw_newest(str(folder)) == ("103", "102")
    assert versions.list_versions(str(folder)) == versions.Versions(("102", "101"))
    assert (folder / ".withdrawn" / "103" / "saved_model.pb").read_text() == "103"
    assert rollback.withdraw_newest(str(folder)) == ("102", "101")
    with pytest.raises(ValueError, match=r"^FOLDER: .* has 1 complete versions; there is none to go back to"):
        rollback.withdraw_newest(str(folder))
    assert versions.list_versions(str(folder)).newest == "101"
