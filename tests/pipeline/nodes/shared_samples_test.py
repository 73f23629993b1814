"""Samples that do not depend on a target: drawn and trained on once for all targets."""

import collections
import pathlib

import pytest
import yaml

import pipeline
from pipeline import pipeline as pipeline_module
from pipeline.config.load import load
from pipeline.nodes import ids
from pipeline.place import Place

DEMO = pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml"
ARMS = ["entire_source", "uniform_subsample", "label_subset", "same_distribution"]


@pytest.fixture
def make_nodes(tmp_path):
    def make(subsets: list[list[str]], arms: list[str] = ARMS, **settings) -> dict:
        """Returns the nodes of a pipeline with a target for each subset of labels, by id."""
        content = yaml.safe_load(DEMO.read_text(encoding="utf-8")) | settings
        data = content["targets"]["digits"]["data"]
        names = ["one", "two", "three"][: len(subsets)]
        content["targets"] = {
            name: {"data": data, "arms": arms, **({"label_subset": subset} if "label_subset" in arms else {})}
            for name, subset in zip(names, subsets, strict=True)
        }
        path = tmp_path / "run.yaml"
        path.write_text(yaml.safe_dump(content))
        config = load(str(path))
        for dataset in config.datasets().values():
            dataset.reader().prepare()
        pipeline = pipeline_module.create_pipeline(config, Place.local(str(tmp_path)))
        return {node.id: node for node in pipeline.components}

    return make


def trained(nodes: dict) -> dict[str, int]:
    """Returns how many Trainers and ImportanceResamplers there are, by kind."""
    counts = collections.Counter(map(ids.kind_of, nodes))
    return {kind: counts[kind] for kind in ("classifier", ids.RESAMPLE, ids.SPECIALIST, ids.FINETUNE)}


def test_three_targets_and_four_arms(make_nodes):
    nodes = make_nodes([["latin"], ["digits"], ["latin"]])
    # entire_source, uniform_subsample, two subsets of labels, and same_distribution for each target.
    assert trained(nodes) == {"classifier": 1, "resample": 6, "specialist": 7, "finetune": 12}
    assert {"source-entire-source-specialist", "source-uniform-subsample-specialist"} < set(nodes)

    def specialist_of(target: str, arm: str) -> str:
        (node,) = (node.id for node in nodes[f"{target}-{arm}-finetune"].upstream_nodes if "specialist" in node.id)
        return node

    subsets = [specialist_of(target, "label-subset") for target in ("one", "two", "three")]
    assert subsets[0] == subsets[2] != subsets[1]
    assert [specialist_of(target, "same-distribution") for target in ("one", "two")] == [
        "one-same-distribution-specialist",
        "two-same-distribution-specialist",
    ]


def test_another_target_changes_no_id_of_a_shared_sample(make_nodes):
    assert {node for node in make_nodes([["digits"]]) if node.startswith("source-")} <= set(
        make_nodes([["latin"], ["digits"]])
    )


@pytest.mark.parametrize("enabled", [True, False], ids=["exclusions", "all"])
def test_what_needs_no_target_is_drawn_before_anything_is_trained(make_nodes, enabled):
    nodes = make_nodes([["latin"]], near_duplicates={"enabled": enabled})
    above = {node.id for node in nodes["source-classifier"].upstream_nodes}
    drawn = {node for node in above if node.endswith("-resample")}
    assert {node.rsplit("-", 2)[0] for node in drawn} == {"source-uniform", "source-label-subset"}
    for node in drawn:
        assert ("exclusions" in nodes[node].inputs) == enabled
        assert "label_prior" not in nodes[node].inputs
    assert "label_prior" in nodes["one-same-distribution-resample"].inputs


def test_the_second_stage_of_exclusions_comes_before_the_samples(make_nodes):
    nodes = make_nodes([["latin"]], near_duplicates={"embeddings": 0.9})
    above = {node.id for node in nodes["source-uniform-subsample-resample"].upstream_nodes}
    assert "source-embedding-exclusions-known" in above
