"""`--until prior`: the nodes that the label priors need, as they are in the whole pipeline, and no others."""

import pathlib
import sys

import numpy as np
import pytest

import pipeline
from components import storage
from components.artifacts import label_prior
from pipeline import record, session
from pipeline.config.load import load
from pipeline.config.run import Config
from pipeline.pipeline import create_pipeline
from pipeline.place import Place

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
SHARES = {"train": 0.8, "eval": 0.2}
DATA = {f"{side}-{kind}" for side in ("source", "pets") for kind in ("examples", "statistics", "schema", "validation")}
PRIOR = {*DATA, "source-classifier", "source-predictions", "pets-predictions", "pets-prior"}
FILTER = {"source-exclusions", "source-exclusions-known"}


@pytest.fixture
def config(tmp_path):
    for path in ("animals/owl/1.jpg", "animals/cat/2.jpg", "pets/rex/3.jpg"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()

    def config(arms: tuple[str, ...] = ("entire_source", "same_distribution"), **changes) -> Config:
        pets = {"data": {"folder": str(tmp_path / "pets"), "splits": SHARES}, "arms": [*arms], "label_subset": ["owl"]}
        return Config.model_validate(
            {
                "name": "animals",
                "image": {"size": 32},
                "backbone": {"name": "compact_cnn"},
                "source": {"folder": str(tmp_path / "animals"), "splits": SHARES},
                "targets": {"pets": pets},
                "classifier": {"preset": "small_classifier"},
                "pretrain": {"preset": "small_pretrain"},
                "finetune": {"preset": "small_finetune"},
                "resample": {"n": 10},
                **changes,
            }
        )

    return config


def nodes_of(config: Config, until: str | None = None) -> dict:
    return {node.id: node for node in create_pipeline(config, Place.local("here"), until).components}


def producers_of(node) -> dict[str, list[str]]:
    return {key: sorted(channel.get_data_dependent_node_ids()) for key, channel in node.inputs.items()}


@pytest.mark.parametrize(
    ("near_duplicates", "filters"),
    [
        ({"enabled": False}, set()),
        ({}, FILTER),
        (
            {"embeddings": 0.9},
            FILTER | {"source-train-predictions", *(name.replace("-ex", "-embedding-ex") for name in FILTER)},
        ),
    ],
    ids=["no filter", "hashes", "embeddings"],
)
def test_the_nodes_are_those_of_the_whole_pipeline(config, near_duplicates, filters):
    # uniform_subsample has a sample that a whole run draws before the classifier is trained.
    asked = config(("entire_source", "same_distribution", "uniform_subsample"), near_duplicates=near_duplicates)
    some, everything = nodes_of(asked, "prior"), nodes_of(asked)
    assert some.keys() == PRIOR | filters
    assert {"source-uniform-subsample-resample", "pets-same-distribution-finetune"} <= everything.keys() - some.keys()
    for name, node in some.items():
        whole = everything[name]
        assert (node.type, node.exec_properties) == (whole.type, whole.exec_properties)
        assert producers_of(node) == producers_of(whole)


def test_what_only_arms_need_does_not_stop_it(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)  # what the extra `emd` brings
    beam = {"all": {"runner": "in_memory"}, "pets-emd-subset-resample": {"runner": "in_memory"}}
    asked = config(("emd_subset", "label_subset"), beam=beam)
    asked = asked.model_copy(
        update={"targets": {"pets": asked.targets["pets"].model_copy(update={"label_subset": ["no such label"]})}}
    )
    with pytest.raises(ValueError, match="no such label"):
        nodes_of(asked)
    assert nodes_of(asked, "prior").keys() == PRIOR | FILTER


def test_weights_that_only_arms_start_from_need_not_be_there(config):
    network = {"name": "compact_cnn", "weights": "/nowhere.weights.h5"}
    asked = config(("published_finetune", "same_distribution"), backbone=network)
    assert nodes_of(asked.pin_weights(arms=False), "prior").keys() == PRIOR | FILTER
    with pytest.raises(ValueError, match=r"^backbone\.weights"):
        asked.pin_weights()


def test_what_is_said_of_beam_is_checked_where_it_is_used(config):
    runner = {
        "runner": "flink",
        "master": "[local]",
        "job_server_jar": "/nowhere.jar",
        "staging": "/",
        "worker_pool": "localhost:1",
    }
    used, unused = (config(beam={key: runner}) for key in ("Predictor", "Evaluator"))
    assert nodes_of(unused, "prior")
    with pytest.raises(ValueError, match=r"^beam\.Predictor\.job_server_jar: there is no file '/nowhere.jar'"):
        nodes_of(used, "prior")


@pytest.mark.slow
@pytest.mark.parametrize("order", [("prior", None), (None, "prior")], ids=["before", "after"])
def test_it_shares_its_results_with_the_whole_run(tmp_path, order):
    settings = load(
        DEMO,
        [
            "source.splits={train: 'train[:4%]', eval: 'eval[:4%]'}",
            *(f"{training}.steps=4" for training in ("classifier", "pretrain", "finetune")),
            *(f"{training}.batch_size=32" for training in ("classifier", "pretrain", "finetune")),
            "resample.n=300",
            "near_duplicates={enabled: true}",
            "targets.digits.evaluation.minimum=0",
        ],
    )
    workspace = str(tmp_path / "workspace")
    priors, records = {}, {}
    for until in order:
        outcome = session.run_config(settings, workspace, until)
        assert not outcome.failed
        found = next(iter(record.read_all(workspace).values()))
        records[until] = found
        priors[until] = label_prior.from_table(
            storage.read_table(f"{found.uri('digits-prior', 'label_prior')}/{label_prior.FILE_NAME}")
        )
        assert (found.until, found.ended) == (until, True)
    part, whole = records["prior"], records[None]
    assert part.nodes.keys() < whole.nodes.keys()
    later = records[order[1]]
    assert {later.nodes[name].state for name in part.nodes} <= {"reused", "resolved"}
    assert np.array_equal(priors["prior"].target_prior, priors[None].target_prior)
    assert np.array_equal(priors["prior"].interval, priors[None].interval)
