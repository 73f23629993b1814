"""Arms that start from a published network: what its node is, and what depends on it."""

import json
import pathlib

import keras
import pytest
import small_backbone

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.compare import matrix
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.place import Place

DEMO = pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml"
PUBLISHED = ["published_finetune", "published_warm_start"]
OTHERS = ["entire_source", "warm_start"]


@pytest.fixture
def load_with(tmp_path):
    def load_with(weights: bytes, arms: list[str]):
        path = tmp_path / "weights.keras"
        path.write_bytes(weights)
        overrides = [f"targets.digits.arms={json.dumps(arms)}", f"targets.digits.push={arms[0]}", "compare.seeds=2"]
        config = load(str(DEMO), [f"backbone.weights={path}", *overrides])
        for dataset in config.datasets().values():
            dataset.reader().prepare()
        return config

    return load_with


@pytest.fixture
def place(tmp_path) -> Place:
    return Place.local(str(tmp_path))


def settings_of(node) -> dict:
    return json.loads(node.exec_properties["custom_config"])


def test_one_node_reads_the_weights_for_all_arms(load_with, place):
    config = load_with(b"weights", [*PUBLISHED, *OTHERS])
    nodes = {node.id: node for node in pipeline_module.create_pipeline(config, place).components}
    published = nodes[ids.PUBLISHED]
    starts = {
        name: channel.get_data_dependent_node_ids()
        for name, node in nodes.items()
        if (channel := node.inputs.get("base_model")) is not None
        and ids.kind_of(name) in (ids.SPECIALIST, ids.FINETUNE)
    }
    assert starts == {
        "digits-published-finetune-finetune": {ids.PUBLISHED},
        "digits-published-warm-start-specialist": {ids.PUBLISHED},
        "digits-published-warm-start-finetune": {"digits-published-warm-start-specialist"},
        "digits-warm-start-specialist": {ids.CLASSIFIER},
        "digits-warm-start-finetune": {"digits-warm-start-specialist"},
        "digits-entire-source-finetune": {"source-entire-source-specialist"},
    }
    new_heads = {
        name
        for name, node in nodes.items()
        if "custom_config" in node.exec_properties and settings_of(node).get("new_head")
    }
    assert new_heads == {"digits-published-warm-start-specialist"}
    assert published.exec_properties["fingerprint"] == config.pin_weights().backbone.weights.sha256
    assert ids.PUBLISHED not in {
        node.id for node in pipeline_module.create_pipeline(load_with(b"weights", OTHERS), place).components
    }


def test_other_weights_are_another_key_of_what_starts_from_them(load_with, place):
    def keys(weights: bytes) -> dict:
        config = load_with(weights, [*PUBLISHED, *OTHERS])
        return matrix.create_nodes(config, place, matrix.list_cells(config).cells).keys()

    before, after = keys(b"weights"), keys(b"others")
    assert {cell.arm for cell in before if before[cell] != after[cell]} == set(PUBLISHED)
    assert {cell.arm for cell in before if before[cell] == after[cell]} == set(OTHERS)


def test_weights_that_are_gone(load_with, place, tmp_path):
    config = load_with(b"weights", PUBLISHED)
    (tmp_path / "weights.keras").unlink()
    with pytest.raises(ValueError, match=r"^backbone\.weights: '.*weights.keras' is not there; correct the path$"):
        pipeline_module.create_pipeline(config, place)


def test_a_function_that_builds_no_backbone_is_known_before_the_data_are_read(place, monkeypatch):
    images = keras.Input((32, 32, 1))
    maps = keras.Model(images, keras.layers.Conv2D(2, 3)(images))
    monkeypatch.setattr(small_backbone, "build", lambda image: maps)
    config = load(str(DEMO), ["backbone={function: small_backbone.build}"])
    monkeypatch.setattr(pipeline_module, "ingest", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"^backbone\.function: the features of small_backbone\.build"):
        pipeline_module.create_pipeline(config, place)
