"""What a run will take, by hand."""

import pathlib

import pytest

import pipeline as pipeline_package
from pipeline.config.load import load
from pipeline.preview import estimate
from trainer.loop.throughput import Throughput

DEMO = str(pathlib.Path(pipeline_package.__file__).parent / "configs" / "demo.yaml")
ARMS = "targets.digits.arms=[entire_source, same_distribution, weighted_loss, emd_subset]"
SOURCE = estimate.DataCosts({"train": 70_000, "eval": 10_000}, 0.5, 900.0, 100.0, labels=770)
DIGITS = estimate.DataCosts({"train": 100, "eval": 400, "test": 1300}, 0.25, 500.0, 60.0, labels=10)
SPEED = Throughput(
    training_images_per_second=100.0,
    prediction_images_per_second=1000.0,
    parameters=1_000_000,
    features=128,
    batch_size=64,
    replicas=1,
)
NODES = [
    "source-examples",
    "source-classifier",
    "source-predictions",
    "digits-predictions",
    "source-entire-source-specialist",
    *(f"digits-{arm}-{node}" for arm in ("a", "b", "c") for node in ("resample", "specialist", "finetune")),
    "digits-entire-source-finetune",
]


def costs(*overrides: str, network: Throughput | None = SPEED) -> dict[str, tuple]:
    settings = load(DEMO, [ARMS, *overrides])
    found = estimate.estimate_costs(settings, NODES, SOURCE, {"digits": DIGITS}, network)
    return {cost.part: (cost.nodes, cost.seconds, cost.bytes) for cost in found}


def test_each_part_of_a_run():
    assert costs("resample.materialise=true") == {
        "data: source": (1, 40_000.0, 80_000_000.0),
        "data: digits": (1, 450.0, 1800 * 560.0),
        # 1,500 steps of 128 images, and 10,000 images evaluated; a SavedModel and a .keras file of 4 bytes a parameter.
        "classifier": (1, 1920.0 + 10.0, 8_000_000),
        # All of the source's eval split, and the target's train split: 2 bytes a label, and an element of an embedding.
        "predictions": (2, 10.1, 10_100 * (770 + 128) * 2),
        # entire_source and weighted_loss never write any.
        "written samples": (2, 20_000 * 0.5, 20_000 * 900.0),
        "specialists": (4, 4 * 300 * 128 / 100 + 40.0, 32_000_000),
        "fine-tuning": (4, 4 * 100 * 64 / 100 + 4 * 1.7, 32_000_000),
    }


def test_samples_that_are_not_written_cost_nothing():
    assert "written samples" not in costs()


def test_predictions_of_a_second_stage_are_of_everything():
    found = costs("near_duplicates={enabled: true, embeddings: 0.95}", "prior.source_images=3000")
    images = 3000 + 70_000 + 1800
    assert found["predictions"] == (2, images / 1000, images * 898 * 2)


def test_without_a_network_the_data_are_estimated_alone():
    found = costs(network=None)
    assert found["data: source"] == costs()["data: source"]
    assert {found[what][1:] for what in ("predictions", "classifier", "specialists", "fine-tuning")} == {(None, None)}


@pytest.mark.parametrize(("override", "copies"), [("checkpoint.keep=2", 4), ("checkpoint.keep=3", 6)])
def test_checkpoints(override, copies):
    settings = load(DEMO, [override])
    assert estimate.checkpoint_bytes(settings, SPEED) == copies * 4_000_000
    with_best = load(DEMO, [override, "pretrain.evaluate={every_steps: 100}", "pretrain.export=best"])
    assert estimate.checkpoint_bytes(with_best, SPEED) == copies * 1.5 * 4_000_000
    with_average = load(DEMO, [override, "finetune.ema=0.9"])
    assert estimate.checkpoint_bytes(with_average, SPEED) == copies * 1.5 * 4_000_000


def test_evaluations_during_a_training():
    found = costs("classifier.evaluate={every_steps: 400, examples: 500}")
    assert found["classifier"] == (1, 1920.0 + 10.0 + 4 * 0.5, 8_000_000)
