"""Which model a candidate is compared with: the one that it would replace."""

import pathlib
import shutil

import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.artifacts import model_labels
from components.evaluator import resolver


class World:
    """Models with their files, blessings, and a folder of a server."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.models: dict[int, types.Artifact] = {}
        self.blessings: list[types.Artifact] = []

    def add_model(self, number: int, labels: str = "ab") -> None:
        """Makes the model `number`, whose file says its number; its labels are the letters of `labels`."""
        artifact = standard_artifacts.Model()
        artifact.id = number
        artifact.uri = str(self.root / f"model-{number}")
        self.models[number] = artifact
        self.write(pathlib.Path(artifact.uri, "Format-Serving"), number, labels)

    def write(self, folder: pathlib.Path, number: int, labels: str) -> None:
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(f"model {number}")
        (folder / "variables" / "variables.index").write_text("index")
        (folder / "variables" / "variables.data-00000-of-00001").write_text("weights")
        model_labels.write(str(folder), tuple(labels))

    def bless(self, blessing: int, model: int, blessed: int = 1, baseline: int | None = None) -> None:
        artifact = standard_artifacts.ModelBlessing()
        artifact.id = blessing
        artifact.set_int_custom_property("current_model_id", model)
        artifact.set_int_custom_property("blessed", blessed)
        if baseline is not None:
            artifact.set_int_custom_property("baseline_model_id", baseline)
        self.blessings.append(artifact)

    def serve(self, version: int, number: int, labels: str = "ab") -> None:
        self.write(self.root / "serving" / str(version), number, labels)

    def resolve(self, candidate: int) -> tuple[int | None, int | None]:
        """Returns the ids of the model and of the blessing chosen, None where there is none."""
        channels = {
            "model": [*self.models.values()],
            "model_blessing": self.blessings,
            "candidate": [self.models[candidate]],
        }
        resolved = resolver.ServedOrLastBlessed(str(self.root / "serving")).resolve_artifacts(None, channels)
        assert resolved.keys() == channels.keys()
        assert resolved["candidate"] == [self.models[candidate]]
        model, blessing = (
            next((artifact.id for artifact in resolved[key]), None) for key in ("model", "model_blessing")
        )
        return model, blessing


@pytest.fixture
def world(tmp_path) -> World:
    """Three models, of which 1 and 2 were blessed, in this order; nothing is served."""
    world = World(tmp_path)
    for number in (1, 2, 9):
        world.add_model(number)
    world.bless(5, 1)
    world.bless(6, 2)
    return world


def test_if_nothing_is_served_it_is_the_last_blessed_model(world):
    assert world.resolve(9) == (2, 6)


def test_the_candidate_is_no_baseline_of_itself(world):
    assert world.resolve(2) == (1, 5)
    del world.blessings[0]
    assert world.resolve(2) == (None, None)


def test_refused_models_are_passed_over(world):
    world.blessings.clear()
    assert world.resolve(9) == (None, None)
    world.bless(5, 1)
    world.bless(6, 2, blessed=0)
    assert world.resolve(9) == (1, 5)


def test_the_last_blessing_counts_and_not_the_last_model(world):
    world.bless(8, 1)  # again, after model 2: someone went back to its configuration
    assert world.resolve(9) == (1, 8)


@pytest.mark.parametrize("gone", ["artifact", "files"])
def test_no_older_model_stands_in_for_one_that_is_gone(world, gone):
    if gone == "artifact":
        del world.models[2]
    else:
        (pathlib.Path(world.models[2].uri) / "Format-Serving" / "saved_model.pb").unlink()
    assert world.resolve(9) == (None, 6)
    # Nor if it is served.
    world.serve(100, 1)
    world.serve(101, 2)
    assert world.resolve(9) == (None, None if gone == "artifact" else 6)


@pytest.mark.parametrize("labels", ["ba", "abc", "a"], ids=["another order", "more", "fewer"])
def test_no_older_model_stands_in_for_one_of_other_labels(world, labels):
    world.add_model(3, labels)
    world.bless(7, 3)
    assert world.resolve(9) == (None, 7)
    world.serve(100, 1)
    world.serve(101, 3, labels)
    assert world.resolve(9) == (None, 7)


def test_what_is_served_counts_and_not_what_was_blessed(world):
    world.serve(100, 1)
    world.bless(7, 9, baseline=1)  # and its push was taken back
    assert world.resolve(2) == (1, 5)
    assert world.resolve(9) == (1, 5)


def test_a_candidate_that_is_served_is_compared_as_before(world):
    world.serve(101, 2)
    world.bless(7, 9, baseline=1)
    world.serve(102, 9)
    assert world.resolve(9) == (1, 5)
    assert world.resolve(1) == (9, 7)
    # Also if nothing of the one before is served any more, or that one's artifact is gone.
    shutil.rmtree(world.root / "serving" / "101")
    assert world.resolve(9) == (1, 5)
    del world.models[1]
    assert world.resolve(9) == (None, 5)


def test_what_a_server_puts_beside_the_files_of_a_version_is_not_looked_at(world):
    world.serve(101, 1)
    (world.root / "serving" / "101" / "warm_up").write_text("requests")
    (world.root / "serving" / "101" / ".#lock").symlink_to("nowhere")
    assert world.resolve(9) == (1, 5)
    assert world.resolve(1) == (None, None)


def test_a_version_of_somebody_else_has_no_model(world):
    world.serve(100, 1)
    world.serve(101, 77)
    assert world.resolve(9) == (None, None)


def test_a_candidate_that_is_served_alone_has_no_baseline(world):
    world.serve(100, 2)
    assert world.resolve(2) == (None, None)


def test_broken_versions_are_not_served(world):
    world.serve(100, 1)
    world.serve(101, 2)
    (world.root / "serving" / "101" / "saved_model.pb").unlink()
    assert world.resolve(9) == (1, 5)


@pytest.mark.parametrize("candidates", [[], [1, 2]])
def test_there_must_be_one_candidate(world, candidates):
    channels = {"model": [], "model_blessing": [], "candidate": [world.models[number] for number in candidates]}
    with pytest.raises(ValueError, match=f"candidate: {len(candidates)} artifacts"):
        resolver.ServedOrLastBlessed("").resolve_artifacts(None, channels)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"channels.*baseline.*candidate"):
        resolver.ServedOrLastBlessed("").resolve_artifacts(None, {"model": [], "baseline": []})
