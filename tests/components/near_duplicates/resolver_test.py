"""Which exclusions a run uses."""

import pytest
from tfx import types

from components.artifacts import exclusions
from components.artifacts.types import Exclusions, ResamplePlan
from components.near_duplicates import resolver


def artifact(artifact_type: type, artifact_id: int, content: str) -> types.Artifact:
    made = artifact_type()
    made.id = artifact_id
    made.set_string_custom_property(exclusions.CONTENT_PROPERTY, content)
    return made


def channels(new: tuple[int, str], earlier: list[tuple[int, str]]) -> resolver.Artifacts:
    """Returns exclusions of these ids and contents, and plans whose ids are 100 higher."""
    found = [*earlier, new]
    return {
        "exclusions": [artifact(Exclusions, *new)],
        "plan": [artifact(ResamplePlan, new[0] + 100, new[1])],
        "all_exclusions": [artifact(Exclusions, *one) for one in found],
        "all_plans": [artifact(ResamplePlan, one[0] + 100, one[1]) for one in found],
    }


@pytest.mark.parametrize(
    ("new", "earlier", "expected"),
    [
        ((7, "a"), [], 7),
        ((7, "a"), [(3, "b")], 7),
        ((7, "a"), [(5, "a"), (3, "a"), (2, "b")], 3),
        ((3, "a"), [(5, "a")], 3),
    ],
    ids=["first", "others", "known", "reused"],
)
def test_the_first_of_the_same_content(new, earlier, expected):
    resolved = resolver.FirstOfSameContent().resolve_artifacts(None, channels(new, earlier))
    assert [found.id for found in resolved["exclusions"]] == [expected]
    assert [found.id for found in resolved["plan"]] == [expected + 100]


@pytest.mark.parametrize("key", ["exclusions", "plan"])
def test_not_one_new_artifact(key):
    given = channels((7, "a"), [])
    with pytest.raises(ValueError, match=f"^{key}: 2 artifacts; allowed is exactly one"):
        resolver.FirstOfSameContent().resolve_artifacts(None, {**given, key: given[key] * 2})


def test_other_channels():
    with pytest.raises(ValueError, match=r"channels: \['plan'\]; FirstOfSameContent takes \['all_exclusions'"):
        resolver.FirstOfSameContent().resolve_artifacts(None, {"plan": []})
