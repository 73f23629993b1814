"""Which cells a comparison has. Nothing is run."""

import pathlib

import pytest

import pipeline
from components import extras
from pipeline.compare import arms, matrix
from pipeline.config.load import load
from pipeline.place import Place

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
MORE = (
    "targets.more={data: {dataset: handwritten_digits, id_key: id, "
    "splits: {train: train, eval: 'eval[:10%]', test: 'test[:5%]'}}, arms: [entire_source]}"
)


def create(config, tmp_path) -> matrix.Nodes:
    return matrix.create_nodes(config, Place.local(str(tmp_path)), matrix.list_cells(config).cells)


def test_arms_that_lack_something_are_named(monkeypatch):
    def require(extra, *modules):
        raise ModuleNotFoundError(f"ot: not installed; pip install 'specialist[{extra}]'")

    monkeypatch.setattr(extras, "require", require)
    found = matrix.list_cells(load(DEMO, [MORE, "arms.own={matcher: label_subset}", "compare.arms=all"]))
    lacking = {
        "emd_subset": "ot: not installed; pip install 'specialist[emd]'",
        "published_finetune": "backbone.weights",
        "published_warm_start": "backbone.weights",
    }
    assert found.lacking == {
        "digits": lacking,
        "more": {"label_subset": "targets.more.label_subset", "own": "targets.more.label_subset", **lacking},
    }
    arms = {target: {cell.arm for cell in found.cells if cell.target == target} for target in ("digits", "more")}
    assert arms["digits"] - arms["more"] == {"label_subset", "own"}
    assert "emd_subset" not in arms["digits"]


def test_seeds_that_there_are_not():
    with pytest.raises(ValueError, match=r"^seed: 4294967295, .* compare\.seeds: 2 .* choose a smaller seed$"):
        matrix.list_cells(load(DEMO, ["seed=4294967295", "compare.seeds=2"]))
    (cell,) = matrix.list_cells(
        load(DEMO, ["seed=4294967295", "compare.seeds=1", "compare.arms=[entire_source]"])
    ).cells
    assert cell.seed == 4294967295


def test_learning_rates_that_differ_little_have_nodes_of_their_own(tmp_path):
    config = load(DEMO, ["compare.learning_rates=[0.1234567, 0.1234568, 1.0e-5]", "compare.seeds=1"])
    nodes = create(config, tmp_path)
    ends = {made.finetune.id for made in nodes.cells.values()}
    assert len(ends) == len(nodes.cells) == 6
    assert "digits-entire-source-s0-lr1e-05-finetune" in ends


def test_a_probe_leaves_the_other_arms_all_their_learning_rates(make_result):
    settings = ["compare.learning_rates=[0.1, 0.01]", "compare.seeds=1", "compare.arms=[entire_source, knn]"]
    cells = matrix.list_cells(load(DEMO, settings)).cells
    found = [make_result(cell.arm, learning_rate=cell.learning_rate) for cell in cells]
    assert {name: arm.rates for name, arm in arms.select(found).arms["digits"].items()} == {
        "entire_source": (0.01, 0.1),
        "knn": (0.01, 0.1),
    }


def test_what_matches_the_target_sees_no_more_images_than_the_fine_tuning(tmp_path):
    config = load(DEMO, ["compare.arms=[entire_source, emd_subset]", "compare.shots=[2]", "compare.seeds=1"])
    nodes = {node.id: node for node in create(config, tmp_path).pipeline.components}

    def find_plans(node: str) -> list[str]:
        channel = nodes[node].inputs.get("target_plan")
        return [] if channel is None else list(channel.get_data_dependent_node_ids())

    assert find_plans("digits-emd-subset-s0-k2-resample") == ["digits-k2-subset"]
    assert find_plans("digits-emd-subset-s0-resample") == []
