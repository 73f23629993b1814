"""What a report says is to be done next follows from its results."""

import pathlib
import types

import pytest

from pipeline.config.load import load
from pipeline.report import steps

DEMO = pathlib.Path(__file__).parents[3] / "pipeline" / "configs" / "demo.yaml"


@pytest.fixture(scope="module")
def config():
    return load(str(DEMO))


def suggest(config, outcome=None, *, kind="run", **given) -> list[str]:
    given = {"served": None, "missing": False} | given
    return [step.command for step in steps.suggest_steps(config, "digits", outcome, kind=kind, **given)]


def test_without_a_result(config):
    assert suggest(config, missing=True, duplicates=False) == ["specialist run CONFIG"]
    assert suggest(config, kind="comparison") == []
    assert suggest(config, served="s/digits/1") == ["specialist predict s/digits/1 IMAGE.png"]


def make_outcome(*arms: str):
    def make(name: str, seconds: float, total: float) -> types.SimpleNamespace:
        return types.SimpleNamespace(name=name, seconds=seconds, total_seconds=total)

    seconds = {"entire_source": (120.0, 120.0), "same_distribution": (180.0, 480.0)}
    found = {name: make(name, *seconds.get(name, (60.0, 60.0))) for name in arms}
    return types.SimpleNamespace(targets={"digits": types.SimpleNamespace(arms=found, compared={}, best=arms[-1])})


def test_a_run_is_compared_with_arms_that_train_on_as_much(config):
    outcome = make_outcome("entire_source", "same_distribution")
    assert suggest(config, outcome) == [
        "specialist compare CONFIG --seeds 5 "
        "--arms entire_source,same_distribution,entire_source_total,source_classifier"
    ]
    outcome = make_outcome("random_init", "entire_source")  # neither needs a classifier
    assert suggest(config, outcome) == ["specialist compare CONFIG --seeds 5"]
    assert suggest(config, make_outcome("same_distribution")) == []  # one arm is no comparison


def test_the_time_of_a_comparison_is_that_of_its_trainings(config):
    arms = ["entire_source", "same_distribution", "entire_source_total", "source_classifier"]
    (step,) = steps.suggest_steps(config, "digits", make_outcome(*arms), kind="run", served=None, missing=False)
    # Five seeds of 2 + 3 + 1 + 1 minutes, and 5 minutes of the classifier, which all seeds share or each has its own.
    minutes = 40 if "classifier" not in config.compare.vary else 60
    assert f" {minutes} minutes" in step.text
    assert step.command == "specialist compare CONFIG --seeds 5"


def test_near_duplicates_that_were_not_looked_for(config):
    outcome = make_outcome("random_init", "entire_source")
    assert suggest(config, outcome, duplicates=False)[1:] == [
        "specialist run CONFIG --set near_duplicates.enabled=true"
    ]
    assert load(str(DEMO), ["near_duplicates.enabled=true"]).near_duplicates.enabled


def test_a_comparison_leads_to_a_push(config):
    outcome = make_outcome("entire_source", "random_init")
    commands = suggest(config, outcome, kind="comparison", duplicates=False)
    assert commands[0] == "specialist run CONFIG"  # random_init is the best, and same_distribution is set to be pushed
    assert commands[-1] == "specialist compare CONFIG --set near_duplicates.enabled=true"
