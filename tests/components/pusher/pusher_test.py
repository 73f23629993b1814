import os
import pathlib
import shutil
import time

import pytest
from tfx import types
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

import components
from components import code_version
from components.pusher import executor, registry, rollback
from components.pusher.endpoint import VertexEndpoint

FILES = {
    "saved_model.pb": "graph",
    "assets.extra/model.keras": "keras",
    "variables/variables.index": "index",
    "variables/variables.data-00000-of-00001": "weights",
}
ENDPOINT = VertexEndpoint(project="pets", region="europe-west4", name="digits", image="i", machine_type="n1-standard-4")
FAR_FUTURE = 4_000_000_000  # seconds: the year 2096


def contents(folder: pathlib.Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


class Pushing:
    """A model, a folder to push to, and the executor between them."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.folder = root / "serving"
        self.model = standard_artifacts.Model()
        self.model.uri = str(root / "model")
        for name, text in FILES.items():
            self.write_model(name, text)
        self._write(root / "model" / "checkpoint.keras", "not for servers")

    def write_model(self, name: str, text: str) -> None:
        self._write(self.root / "model" / "Format-Serving" / name, text)

    def _write(self, path: pathlib.Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def versions(self) -> list[str]:
        return sorted(name for name in os.listdir(self.folder) if name.isdecimal())

    def __call__(self, *, blessed: bool = True, baseline: pathlib.Path | None = None, **properties) -> types.Artifact:
        blessing = standard_artifacts.ModelBlessing()
        blessing.set_int_custom_property("blessed", int(blessed))
        compared = []
        if baseline is not None:
            blessing.set_int_custom_property("baseline_model_id", 7)
            compared = [standard_artifacts.Model()]
            compared[0].uri = str(baseline)
        pushed_model = standard_artifacts.PushedModel()
        pushed_model.uri = str(self.root / "pushed_model")
        destination = pusher_pb2.PushDestination(filesystem={"base_directory": str(self.folder)})
        executor.Executor().Do(
            {"model": [self.model], "model_blessing": [blessing], "baseline_model": compared},
            {"pushed_model": [pushed_model]},
            {"push_destination": proto_utils.proto_to_json(destination), "custom_config": "null", **properties},
        )
        return pushed_model


@pytest.fixture
def pushing(tmp_path: pathlib.Path) -> Pushing:
    return Pushing(tmp_path)


def test_pushes_the_saved_model_and_nothing_else(pushing, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.75)
    pushed_model = pushing()
    (version,) = pushing.versions()
    assert version == "1700000000"
    assert contents(pushing.folder / version) == FILES
    assert pushed_model.get_int_custom_property("pushed") == 1
    assert pushed_model.get_string_custom_property("pushed_version") == version
    assert pushed_model.get_string_custom_property("pushed_destination") == str(pushing.folder / version)


def test_a_model_that_is_not_blessed_leaves_no_trace(pushing):
    pushed_model = pushing(blessed=False)
    assert not pushing.folder.exists()
    assert pushed_model.get_int_custom_property("pushed") == 0
    assert not pushed_model.has_custom_property("pushed_version")


def test_two_pushes_within_a_second_make_two_versions(pushing, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.75)
    versions = []
    for text in ("graph", "another graph"):
        pushing.write_model("saved_model.pb", text)
        versions.append(pushing().get_string_custom_property("pushed_version"))
    assert versions == ["1700000000", "1700000001"]
    assert pushing.versions() == versions


def test_a_model_that_is_the_newest_version_is_not_pushed_again(pushing):
    first = pushing()
    again = pushing()
    for name in ("pushed_version", "pushed_destination"):
        assert again.get_string_custom_property(name) == first.get_string_custom_property(name)
    assert again.get_int_custom_property("pushed") == 1
    assert contents(pathlib.Path(again.uri)) == FILES
    (version,) = pushing.versions()
    # But what was changed there is, and what another model has taken the place of.
    (pushing.folder / version / "variables" / "variables.index").write_text("INDEX")
    assert pushing().get_string_custom_property("pushed_version") != version
    pushing.write_model("saved_model.pb", "another graph")
    pushing()
    pushing.write_model("saved_model.pb", FILES["saved_model.pb"])
    pushing()
    assert len(pushing.versions()) == 4


def test_a_kill_between_the_push_and_its_record_pushes_once(pushing, monkeypatch):
    publish = executor.publish

    def publish_and_die(source: str, target: str) -> None:
        publish(source, target)
        raise Killed

    monkeypatch.setattr(executor, "publish", publish_and_die)
    with pytest.raises(Killed):
        pushing()
    assert [name for name in os.listdir(pushing.folder) if name.isdecimal()]
    monkeypatch.undo()
    pushed_model = pushing()
    (version,) = pushing.versions()
    assert pushed_model.get_string_custom_property("pushed_version") == version


def test_what_was_compared_with_another_model_than_the_served_one_is_not_pushed(pushing):
    served = pushing().get_string_custom_property("pushed_version")
    copies = {name: pushing.root / name for name in ("served", "other")}
    for copy in copies.values():
        shutil.copytree(pushing.root / "model", copy)
    (copies["other"] / "Format-Serving" / "saved_model.pb").write_text("other")
    pushing.write_model("saved_model.pb", "new")
    refused = pushing(baseline=copies["other"], without_baseline="stop")
    assert refused.get_string_custom_property("not_compared") == (
        f"version {served} is served, but the comparison was with another model"
    )
    assert pushing.versions() == [served]
    pushing(baseline=copies["served"], without_baseline="stop")
    assert len(pushing.versions()) == 2


def test_a_folder_of_the_run_takes_the_place_of_the_pipelines(pushing, tmp_path):
    pushed = pushing(folder=str(tmp_path / "elsewhere"))
    assert pushed.get_string_custom_property("pushed_destination").startswith(f"{tmp_path}/elsewhere/")
    assert not pushing.folder.exists()


def test_an_endpoint_serves_what_the_folder_serves(pushing, monkeypatch):
    served = []

    def serve(endpoint: VertexEndpoint, saved_model: str) -> str:
        served.append((endpoint, saved_model))
        return "projects/pets/locations/europe-west4/endpoints/digits"

    monkeypatch.setattr(registry, "serve", serve)
    pushing(blessed=False, endpoint=ENDPOINT.model_dump_json())
    assert served == []
    first = pushing(endpoint=ENDPOINT.model_dump_json()).get_string_custom_property("pushed_destination")
    again = pushing(endpoint=ENDPOINT.model_dump_json())
    assert again.get_string_custom_property("served_by") == "projects/pets/locations/europe-west4/endpoints/digits"
    pushing.write_model("saved_model.pb", "another graph")
    pushing(blessed=False, endpoint=ENDPOINT.model_dump_json())
    second = pushing(endpoint=ENDPOINT.model_dump_json()).get_string_custom_property("pushed_destination")
    rollback.withdraw_newest(str(pushing.folder))
    refused = pushing(endpoint=ENDPOINT.model_dump_json())
    assert refused.get_int_custom_property("pushed") == 0
    assert served == [(ENDPOINT, version) for version in (first, first, first, second, first)]


def test_a_version_is_above_all_that_are_there(pushing):
    # 99 is below, and the others are no versions.
    for name in (str(FAR_FUTURE), "99", f"{FAR_FUTURE + 5}-old", "latest"):
        (pushing.folder / name).mkdir(parents=True)
    assert pushing().get_string_custom_property("pushed_version") == str(FAR_FUTURE + 1)


class Killed(BaseException):
    """Not an Exception: nothing on the way may handle it."""


@pytest.mark.parametrize("copied", range(len(FILES)))
def test_a_kill_while_copying_leaves_no_version(pushing, monkeypatch, copied):
    copy = fileio.copy
    done = []

    def copy_until_killed(*args, **kwargs):
        if len(done) == copied:
            raise Killed
        copy(*args, **kwargs)
        done.append(args)

    monkeypatch.setattr(fileio, "copy", copy_until_killed)
    with pytest.raises(Killed):
        pushing()
    assert len(done) == copied
    left = os.listdir(pushing.folder)
    assert left  # the kill came after something was written, or this test shows nothing
    assert not any(name.isdecimal() for name in left)

    monkeypatch.undo()
    pushing()
    (version,) = pushing.versions()  # so what was left is gone
    assert contents(pushing.folder / version) == FILES


def test_what_a_kill_left_is_removed_even_when_nothing_is_pushed(pushing, monkeypatch):
    monkeypatch.setattr(executor, "publish", lambda *_: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        pushing()
    assert os.listdir(pushing.folder) == [".incoming"]
    monkeypatch.undo()
    pushing(blessed=False)
    assert os.listdir(pushing.folder) == []


def test_on_an_object_store_the_graph_is_copied_last(pushing, monkeypatch):
    monkeypatch.setattr(executor, "renames_folders", lambda _: False)
    copy = fileio.copy
    targets = []

    def copy_and_note(source, target, *args, **kwargs):
        targets.append(str(target))
        copy(source, target, *args, **kwargs)

    monkeypatch.setattr(fileio, "copy", copy_and_note)
    pushing()
    (version,) = pushing.versions()
    assert contents(pushing.folder / version) == FILES
    in_version = [target for target in targets if target.startswith(str(pushing.folder / version))]
    assert len(in_version) == len(FILES)
    assert in_version[-1] == str(pushing.folder / version / "saved_model.pb")


@pytest.mark.parametrize(
    ("path", "expected"), [("/serving/1", True), ("hdfs://name/1", True), ("gs://bucket/1", False), ("s3://b/1", False)]
)
def test_which_file_systems_rename_folders(path, expected):
    assert executor.renames_folders(path) is expected


def test_the_component_is_keyed_on_the_executors_code():
    pusher = components.Pusher(
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        push_destination=pusher_pb2.PushDestination(filesystem={"base_directory": "/serving"}),
    )
    assert pusher.exec_properties["code_version"] == code_version.code_version("components.pusher.executor")
    assert pusher.executor_spec.executor_class is executor.Executor
    assert set(pusher.inputs) == {"model", "model_blessing"}


def test_an_endpoint_is_a_parameter_of_the_component():
    arguments = {"model": types.Channel(type=standard_artifacts.Model), "endpoint": ENDPOINT}
    bucket = pusher_pb2.PushDestination(filesystem={"base_directory": "gs://bucket/serving/digits"})
    pusher = components.Pusher(**arguments, push_destination=bucket)
    assert VertexEndpoint.model_validate_json(pusher.exec_properties["endpoint"]) == ENDPOINT
    volume = pusher_pb2.PushDestination(filesystem={"base_directory": "/serving"})
    with pytest.raises(ValueError, match=r"^push_destination: '/serving'; an endpoint of Vertex AI needs"):
        components.Pusher(**arguments, push_destination=volume)


def test_a_destination_without_a_folder_is_refused():
    with pytest.raises(ValueError, match=r"push_destination.*base_directory"):
        components.Pusher(
            model=types.Channel(type=standard_artifacts.Model), push_destination=pusher_pb2.PushDestination()
        )
