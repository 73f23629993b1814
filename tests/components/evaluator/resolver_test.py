import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.artifacts import model_labels
from components.evaluator import resolver


def model(artifact_id: int) -> types.Artifact:
    artifact = standard_artifacts.Model()
    artifact.id = artifact_id
    return artifact


def blessing(artifact_id: int, of: int, blessed: int = 1) -> types.Artifact:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = artifact_id
    artifact.set_int_custom_property("current_model_id", of)
    artifact.set_int_custom_property("blessed", blessed)
    return artifact


def resolve(candidate: int, models: list[int], blessings: list[types.Artifact]) -> tuple[list[int], list[int]]:
    """Returns the ids of the models and of the blessings chosen."""
    resolved = resolver.LastOtherBlessedModel().resolve_artifacts(
        None,
        {"model": [model(item) for item in models], "model_blessing": blessings, "candidate": [model(candidate)]},
    )
    assert [artifact.id for artifact in resolved.pop("candidate")] == [candidate]
    assert set(resolved) == {"model", "model_blessing"}
    return [artifact.id for artifact in resolved["model"]], [artifact.id for artifact in resolved["model_blessing"]]


def test_the_last_blessed_model():
    assert resolve(9, [1, 2, 3, 9], [blessing(5, of=1), blessing(6, of=2)]) == ([2], [6])


def test_the_candidate_is_no_baseline_of_itself():
    assert resolve(2, [1, 2], [blessing(5, of=1), blessing(6, of=2)]) == ([1], [5])
    assert resolve(2, [2], [blessing(6, of=2)]) == ([], [])


def test_no_blessing_yet():
    assert resolve(2, [1, 2], []) == ([], [])
    assert resolve(3, [1, 2, 3], [blessing(5, of=1, blessed=0)]) == ([], [])


def test_refused_models_are_passed_over():
    assert resolve(9, [1, 2, 9], [blessing(5, of=1), blessing(6, of=2, blessed=0)]) == ([1], [5])


def test_the_last_blessing_counts_and_not_the_last_model():
    # Model 1 was blessed again after model 2: someone went back to its configuration.
    again = [blessing(8, of=1), blessing(5, of=1), blessing(6, of=2)]
    assert resolve(9, [2, 1, 9], again) == ([1], [8])


def test_blessings_of_models_that_are_gone_are_passed_over():
    assert resolve(9, [1, 9], [blessing(5, of=1), blessing(6, of=2)]) == ([1], [5])


def test_models_of_another_label_order_are_passed_over(tmp_path):
    models = {}
    for number, names in {1: "ab", 2: "ba", 3: "abc", 9: "ab"}.items():
        models[number] = model(number)
        models[number].uri = str(tmp_path / str(number))
        model_labels.write(f"{models[number].uri}/Format-Serving", tuple(names))
    blessings = [blessing(5, of=1), blessing(6, of=2), blessing(7, of=3)]
    channels = {"model": [*models.values()], "model_blessing": blessings, "candidate": [models[9]]}
    resolved = resolver.LastOtherBlessedModel().resolve_artifacts(None, channels)
    assert [artifact.id for artifact in resolved["model"]] == [1]
    channels["model_blessing"] = blessings[1:]
    assert resolver.LastOtherBlessedModel().resolve_artifacts(None, channels)["model"] == []


@pytest.mark.parametrize("candidates", [[], [1, 2]])
def test_there_must_be_one_candidate(candidates):
    channels = {"model": [], "model_blessing": [], "candidate": [model(item) for item in candidates]}
    with pytest.raises(ValueError, match=f"candidate: {len(candidates)} artifacts"):
        resolver.LastOtherBlessedModel().resolve_artifacts(None, channels)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"channels.*baseline.*candidate"):
        resolver.LastOtherBlessedModel().resolve_artifacts(None, {"model": [], "baseline": []})
