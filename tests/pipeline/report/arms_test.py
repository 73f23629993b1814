"""What a report says of arms besides their results."""

import pathlib

import pytest

from components.transfer_report import block
from pipeline.config.arms import DESCRIPTIONS, PRESETS
from pipeline.config.load import load
from pipeline.report import arms

DEMO = pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml"
NAMES = ["entire_source", "entire_source_2x", "same_distribution", "weighted_loss", "random_init", "own"]


@pytest.fixture(scope="module")
def config():
    return load(str(DEMO), ["arms.own={matcher: same_distribution, n: 500, start: classifier}", "resample.n=300"])


def describe(config, known: arms.Known) -> dict[str, tuple[int | None, str]]:
    found = arms.describe_arms(config, "digits", NAMES, None, known)
    return {arm.name: (arm.pool, arm.pool_kind) for arm in found}


def test_the_pool_is_what_the_pretraining_could_draw_from(config):
    source = block.Source({"train": 1_000, "eval": 50}, 7, excluded={"train": 4, "eval": 1})
    samples = {"same_distribution": block.Achieved(examples=290)}  # fewer than were asked for
    assert describe(config, arms.Known(source, samples)) == {
        "entire_source": (996, "source"),
        "entire_source_2x": (996, "source"),
        "same_distribution": (290, "sample"),
        "weighted_loss": (996, "source"),
        "random_init": (None, ""),
        "own": (500, "sample"),
    }


def test_what_is_not_known_of_the_pool(config):
    found = describe(config, arms.Known())
    assert found["entire_source"] == (None, "source") and found["same_distribution"] == (300, "sample")


def test_each_preset_is_described():
    assert DESCRIPTIONS.keys() == PRESETS.keys()


def test_own_arms_are_described_by_their_matcher(config):
    assert arms.describe_arm(config, "entire_source") == DESCRIPTIONS["entire_source"]
    own = arms.describe_arm(config, "own")
    assert own.startswith(DESCRIPTIONS["same_distribution"]) and "source classifier" in own.removeprefix(
        DESCRIPTIONS["same_distribution"]
    )
