"""The end of a run, as a person sees it."""

import dataclasses
import io
import pathlib
import shlex

import numpy as np
import pytest
import rich.console
from ml_metadata.proto import metadata_store_pb2 as mlmd

import pipeline
from components import storage
from components.artifacts import data_report, findings, label_prior
from components.artifacts.findings import Finding
from components.artifacts.label_prior import Assumption
from pipeline.config.load import load
from pipeline.config.weights import Weights
from pipeline.results import summary
from pipeline.runners import local
from pipeline.runners.local import State
from trainer.metrics import Metrics

DEMO = str(pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml")
PRIOR = label_prior.LabelPrior(
    ("a", "[b]", "\u05e9"),
    np.array([6, 3, 1]),
    np.array([0.1, 0.7, 0.2]),
    estimator="mean_prediction",
    temperature=2.0,
    num_images=9,
    interval=(np.array([0.0, 0.6, 0.1]), np.array([0.2, 0.8, 0.3])),
    assumption=Assumption(np.array([5, 5, 5]), np.array([1.0, 2.0, 1.0]), np.array([False, True, False])),
)
PLAN = {
    "n": 1200,
    "examples": 1200,
    "unique_examples": 7,
    "max_copies": 400,
    "distance_seen": 0.01,
    "distance_source": 0.4,
}


def shown(found: summary.Summary, *states: State) -> str:
    text = io.StringIO()
    results = [local.NodeResult(f"node-{i}", state, 2.0) for i, state in enumerate(states)]
    summary.show(rich.console.Console(file=text, width=80), found, results)
    return text.getvalue()


@pytest.fixture
def found() -> summary.Summary:
    digits = summary.TargetSummary(
        prior=PRIOR,
        plans={"same_distribution": PLAN},
        arms={
            "entire_source": ("test", Metrics(1297, 0.951, 1.0, 0.9, 0.2)),
            "same_distribution": ("test", Metrics(1297, 0.9722, 1.0, 0.95, 0.1)),
        },
        pushed="/serving/digits/7",
    )
    return summary.Summary(["source, train: image/format: Unexpected string values"], {"digits": digits})


def test_everything_is_there_in_eighty_columns(found):
    text = shown(found, State.DONE, State.REUSED, State.RESOLVED)
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= 80
    assert "anomaly: source, train: image/format: Unexpected string values" in lines
    labels = [line.replace("│", " ").split() for line in lines if line.startswith("│")]
    assert labels == [
        ["[b]", "0.30000", "0.70000", "0.6000", "–", "0.8000", "2.3"],
        ["\u2068\u05e9\u2069", "0.10000", "0.20000", "0.1000", "–", "0.3000", "2.0"],
        ["a", "0.60000", "0.10000", "0.0000", "–", "0.2000", "0.2"],
    ]
    assert "of 1 label(s) are unlike the source's ([b])" in text
    arms = [line.split() for line in lines if line.split()[:1] in (["entire_source"], ["same_distribution"])]
    assert arms == [
        ["entire_source", "all", "95.1%", "90.0%"],
        ["same_distribution", "1,200", "7", "≤", "400", "0.0100", "97.2%", "95.0%"],
    ]
    assert "specialist predict /serving/digits/7" in text
    assert lines[-1] == "1 executors ran, 1 results were reused, 2 s"


def test_a_temperature_that_could_not_be_fitted(found):
    assert "no temperature" not in shown(found)
    prior = dataclasses.replace(PRIOR, temperature=1.0, fit_failed=True)
    digits = dataclasses.replace(found.targets["digits"], prior=prior)
    assert "no temperature fits" in shown(summary.Summary([], {"digits": digits}))


def test_labels_of_a_classifier_that_are_not_the_sources(found):
    assert "the classifier lacks" not in shown(found)
    for mass, labels in ((0.0, 0), (0.25, 0), (0.0, 1), (0.25, 1200)):
        prior = dataclasses.replace(PRIOR, unmapped_mass=mass, unmapped_labels=labels)
        digits = dataclasses.replace(found.targets["digits"], prior=prior)
        text = " ".join(shown(summary.Summary([], {"digits": digits})).split())
        told = (
            f"lacks {labels:,} of the source's labels, and {mass:.1%} of what it predicts is for labels that the source"
        )
        assert (told in text) == bool(mass or labels)


def test_a_run_until_the_prior(found):
    some = dataclasses.replace(PRIOR, counts=np.array([6, 4, 0]))
    digits = summary.TargetSummary(prior=some, plans={}, arms={})
    text = " ".join(shown(summary.Summary([], {"digits": digits}, until="prior"), State.DONE).split())
    assert "P_t is estimated from 9 image(s); 20% of it is lost: on 1 label(s) without source images" in text
    whole = dataclasses.replace(digits, prior=PRIOR)
    lines = shown(summary.Summary([], {"digits": whole}, until="prior")).splitlines()
    assert "P_t is estimated from 9 image(s)" in lines
    assert "P_t is estimated from" not in shown(found, State.DONE)


def test_a_sample_that_is_smaller_than_asked_for(found):
    assert "resample.n" not in shown(found)
    plans = {"same_distribution": PLAN, "label_subset": PLAN | {"examples": 1199}}
    digits = dataclasses.replace(found.targets["digits"], plans=plans)
    (line,) = [line for line in shown(summary.Summary([], {"digits": digits})).splitlines() if "resample.n" in line]
    assert line.startswith("label_subset: 1,199 examples, not 1,200")


def test_the_command_to_try_can_be_pasted(found):
    digits = dataclasses.replace(found.targets["digits"], pushed="/my data/it's/7")
    (line,) = [line for line in shown(summary.Summary([], {"digits": digits})).splitlines() if "try it:" in line]
    assert shlex.split(line) == ["try", "it:", "specialist", "predict", "/my data/it's/7", "IMAGE.png"]


def test_what_is_excluded(found):
    assert "excluded" not in shown(found)
    excluded = {"train": (76_419, 1_061), "eval": (9, 0)}
    text = shown(dataclasses.replace(found, excluded=excluded))
    assert "excluded as near-duplicates of a target's: train 1,061 of 76,419, eval 0 of 9" in " ".join(text.split())


@pytest.fixture
def reported(tmp_path):
    def reported(side: str, *found: Finding) -> local.NodeResult:
        """What the ExampleGen of a side leaves."""
        artifacts = {key: mlmd.Artifact(uri=str(tmp_path / side / key)) for key in ("index", "rejected")}
        report = data_report.dumps({"findings": [dataclasses.asdict(finding) for finding in found]})
        storage.write_text(str(tmp_path / side / "index" / data_report.SUMMARY_FILE), report)
        return local.NodeResult(
            f"{side}-examples", State.DONE, 1.0, {key: [artifact] for key, artifact in artifacts.items()}
        )

    return reported


def test_the_findings_of_all_sides(reported, tmp_path):
    twice, aside = Finding("same_image", 3, where="train, eval"), Finding("set_aside", 1_212, ("empty 1,212",))
    found = summary.collect(load(DEMO, []), [reported("source", twice, aside), reported("digits")], str(tmp_path))
    rejected = {side: str(tmp_path / side / "rejected") for side in ("source", "digits")}
    assert found.findings == {"source": ([twice, aside], rejected["source"]), "digits": ([], rejected["digits"])}
    lines = shown(found).splitlines()
    assert lines[0] == f"source: {findings.describe(twice)}"
    assert lines[1] == f"source: {findings.describe(aside)}: {rejected['source']}"  # in one piece, however long
    assert not any(line.startswith("digits:") for line in lines)


def test_nothing_has_changed(found):
    text = shown(found, State.REUSED, State.REUSED, State.RESOLVED)
    assert text.splitlines()[-1] == "nothing has changed: no executor ran, all 2 results were reused"


def test_a_run_that_failed_early_shows_what_there_is():
    nothing = summary.TargetSummary(prior=None, plans={}, arms={})
    text = shown(summary.Summary([], {"digits": nothing}), State.FAILED, State.BLOCKED)
    assert " ".join(text.split()) == "digits 0 executors ran, 0 results were reused, 0 s"


def test_a_model_that_is_not_good_enough(found):
    digits = dataclasses.replace(
        found.targets["digits"], pushed=None, verdict="accuracy [0.5]", notes=("7 is incomplete",)
    )
    text = shown(summary.Summary([], {"digits": digits}))
    assert "not pushed: accuracy [0.5]\n7 is incomplete\n" in text and "pushed to" not in text


def test_weights_that_were_there_before_are_named():
    weights = {"backbone.weights": Weights(path="w.h5", licence="MIT", sha256="ab" * 32)}
    text = " ".join(shown(summary.Summary([], {}, weights=weights)).split())
    assert "backbone.weights: w.h5, SHA-256 abababababab…, source: not given, licence: MIT" in text


def test_an_arm_without_pre_training(found):
    digits = dataclasses.replace(found.targets["digits"], without_pretraining=frozenset({"entire_source"}))
    rows = [shown(dataclasses.replace(found, targets={"digits": each})) for each in (found.targets["digits"], digits)]
    [[before], [after]] = ([line.split() for line in row.splitlines() if "entire_source" in line] for row in rows)
    assert (before[1], after[1]) == ("all", "none")
