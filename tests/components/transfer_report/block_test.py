import dataclasses
import json

import numpy as np
import pytest

from components.transfer_report import block


def _make_block() -> block.Block:
    picture = block.Picture("a/1.png", "data:image/png;base64,AA==", "seven")
    labels = block.Labels(
        names=["</script>", "b"],
        paths=[("top", "middle"), ()],
        counts=np.array([3, 0]),
        source_share=np.array([1.0, 0.0]),
        target_share=np.array([0.25, 0.75]),
        weights=np.array([1.0, np.nan]),
        low=np.array([0.125, np.inf]),
        high=np.array([0.5, 0.875]),
    )
    target = block.Target(
        name="pets",
        images={"train": np.int64(7)},
        classes=["x", "y"],
        split="test",
        metric="accuracy",
        verdict=block.Verdict("one", ["Push one."]),
        arms=[block.Arm("one", seeds=[1, 2], values=[np.float64(0.5), float("nan")], mean=0.5)],
        labels=labels,
        thumbnails={1: [picture]},
        explained=[block.Explained(picture, "x", [block.LabelShare(1, 0.75)])],
        achieved={"one": block.Achieved(examples=10)},
        curves={"pets-one": block.Curve([1, 2], [0.5, 0.25], eval_loss=[None, 0.5])},
        confusion=block.Confusion("one", ["x", "y"], [[1, 2], [3, 4]], [block.ConfusedPair("y", "x", 3, [picture])]),
    )
    return block.Block("Pets", "run", "2025-01-01T00:00:00Z", block.Source({"train": 3}, 2), {"pets": target})


def test_json_round_trip():
    made = _make_block()
    assert block.from_json(block.to_json(made)) == made


def test_what_is_not_finite_is_none():
    target = _make_block().targets["pets"]
    assert target.labels.weights == (1.0, None)
    assert target.labels.low == (0.125, None)
    assert target.arms[0].values == (0.5, None)
    assert target.images == {"train": 7} and type(target.images["train"]) is int


def test_indices_of_thumbnails_are_integers():
    assert list(block.from_json(block.to_json(_make_block())).targets["pets"].thumbnails) == [1]


def test_columns_have_one_length():
    labels = _make_block().targets["pets"].labels
    with pytest.raises(ValueError, match="labels: weights has 3 values, and names 2"):
        dataclasses.replace(labels, weights=[1, 2, 3])
    with pytest.raises(ValueError, match="arm one: values has 1 values, and seeds 2"):
        block.Arm("one", seeds=[1, 2], values=[0.5])
    with pytest.raises(ValueError, match="curve: eval_loss has 1 values, and step 2"):
        block.Curve([1, 2], [0.5, 0.5], eval_loss=[0.5])
    with pytest.raises(ValueError, match="confusion: row has 1 values, and classes 2"):
        block.Confusion("one", ["x", "y"], [[1, 2], [3]])


@pytest.mark.parametrize("uri", ["https://example.org/a.png", "data:image/svg+xml;base64,AA==", "a.png"])
def test_picture_has_its_own_bytes(uri):
    with pytest.raises(ValueError, match="uri: "):
        block.Picture("a", uri)


def test_other_fields_are_refused():
    found = json.loads(block.to_json(_make_block()))
    found["targets"]["pets"]["verdict"]["mood"] = "good"
    with pytest.raises(ValueError, match=r"block\.targets\.pets\.verdict: has mood"):
        block.from_json(json.dumps(found))
    del found["targets"]["pets"]["verdict"]
    with pytest.raises(ValueError, match=r"block\.targets\.pets: has no verdict"):
        block.from_json(json.dumps(found))
    with pytest.raises(ValueError, match="block: is not JSON"):
        block.from_json("<html>")
    with pytest.raises(ValueError, match="block: 3 is no object"):
        block.from_json("3")
