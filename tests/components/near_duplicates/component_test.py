import pytest
from tfx import types
from tfx.dsl.components.base import executor_spec
from tfx.utils import json_utils

import components
from components import code_version
from components.artifacts.types import ExampleIndex, Exclusions, Predictions, ResamplePlan


def index() -> types.Channel:
    return types.Channel(type=ExampleIndex)


def predictions() -> types.Channel:
    return types.Channel(type=Predictions)


def test_the_filter():
    # In the order of the names, whatever the mapping's.
    pets, dishes = index(), index()
    node = components.NearDuplicateFilter(index=index(), target_indices={"pets": pets, "dishes": dishes}, flips=False)
    assert set(node.inputs) == {"index", "target_indices_0", "target_indices_1"}
    assert (node.inputs["target_indices_0"], node.inputs["target_indices_1"]) == (dishes, pets)
    assert json_utils.loads(node.exec_properties.pop("targets")) == ["dishes", "pets"]
    assert node.exec_properties == {
        "distance": 6,
        "flips": 0,
        "code_version": code_version.code_version("components.near_duplicates.executor"),
    }
    assert {name: channel.type for name, channel in node.outputs.items()} == {
        "exclusions": Exclusions,
        "plan": ResamplePlan,
    }
    assert isinstance(node.executor_spec, executor_spec.BeamExecutorSpec)


def test_the_filter_on_embeddings():
    node = components.EmbeddingDuplicateFilter(
        index=index(),
        earlier_exclusions=types.Channel(type=Exclusions),
        source_predictions=predictions(),
        target_predictions={"pets": predictions()},
        threshold=1,
    )
    assert set(node.inputs) == {"index", "earlier_exclusions", "source_predictions", "target_predictions_0"}
    assert node.exec_properties["threshold"] == 1.0
    assert set(node.outputs) == {"exclusions", "plan"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distance": 11}, "distance: 11 of 64 bits; it must be 0 to 10"),
        ({"distance": -1}, "distance: -1"),
        ({"target_indices": {}}, "target_indices: there is no target; name at least one"),
    ],
)
def test_a_wrong_component_fails_when_it_is_made(changes, message):
    with pytest.raises(ValueError, match=message):
        components.NearDuplicateFilter(**{"index": index(), "target_indices": {"pets": index()}, **changes})


def test_two_filters_of_different_targets_do_not_share_their_inputs():
    one = components.NearDuplicateFilter(index=index(), target_indices={"a": index()})
    two = components.NearDuplicateFilter(index=index(), target_indices={"a": index(), "b": index()})
    assert len(one.inputs) == 2 and len(two.inputs) == 3
