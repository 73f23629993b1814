"""The report on a comparison, and the advice."""

import io

import numpy as np
import pytest
import rich.console

from pipeline.compare import advice, report
from pipeline.compare.comparison import compare_arms

IMAGES = 1_000
# Arm → the number of test images that each seed gets wrong, and the value on eval.
ARMS = {
    "random_init": ([90, 92], 0.90),
    "entire_source": ([60, 62], 0.94),
    "same_distribution": ([20, 22], 0.97),
    "warm_start": ([20, 22], 0.975),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def make(make_result, write_predictions, folder):
    """Makes the results of one seed of each of the arms."""

    def make(names=tuple(ARMS), seeds=(0, 1), evals=None, **fields):
        results = []
        for name in names:
            wrong, evaluation = ARMS[name]
            for seed in seeds:
                right = np.arange(IMAGES) >= wrong[seed]
                value = (evals or {}).get(name, evaluation)
                result = make_result(name, float(right.mean()), value, seed=seed, **fields)
                write_predictions(folder, result.cell, right)
                results.append(result)
        return results

    return make


@pytest.fixture(scope="module")
def outcome(make, folder):
    return compare_arms(make(), folder)


def get_rows(outcome, title):
    (table,) = (table for table in report.list_tables(outcome) if table.title == title)
    return {row[0]: row[1:] for row in table.rows}


def test_results_have_value_interval_and_words(outcome):
    rows = get_rows(outcome, "digits: test accuracy in %")
    assert rows["entire_source"] == ("2", "93.9 ± 1.3", "reference")
    assert rows["warm_start"][:2] == ("2", "97.9 ± 1.3")
    assert rows["same_distribution"][2] == str(outcome.targets["digits"].compared["same_distribution"])
    assert rows["random_init"][2].endswith("over entire_source: worse")


def test_costs_stand_beside_the_gain_with_the_classifier_counted(outcome):
    assert get_rows(outcome, "digits: what it costs") == {
        "random_init": ("0", "0", "30", "30", "-3.0"),
        "entire_source": ("38,400", "38,400", "30", "30", ""),
        "same_distribution": ("38,400", "230,400", "30", "170", "+4.0"),
        "warm_start": ("38,400", "230,400", "30", "170", "+4.0"),
    }


def test_equal_budgets_have_a_table_each(outcome):
    rows = get_rows(outcome, "digits: at an equal budget, 300 steps of pre-training each")
    assert list(rows) == ["entire_source", "same_distribution", "warm_start"]
    assert rows["entire_source"] == ("93.9 ± 1.3", "reference")
    assert "digits: an arm of the whole source with as many images in all" in report.to_markdown(outcome)


def test_an_equal_total_budget_has_a_reference_of_its_own(make, make_result, write_predictions, folder):
    results = make(["entire_source", "same_distribution"])
    for seed in (0, 1):
        right = np.arange(IMAGES) >= 50 + seed
        fields = {"matcher": "", "classifier_images": 0, "steps": 1_800, "images": 230_400}
        results.append(make_result("entire_source_total", float(right.mean()), seed=seed, **fields))
        write_predictions(folder, results[-1].cell, right)
    outcome = compare_arms(results, folder)
    rows = get_rows(outcome, "digits: at an equal budget, about 230,400 images in all each, with the classifier's")
    assert list(rows) == ["entire_source_total", "same_distribution"]
    assert rows["same_distribution"][1].startswith("+3.0 points [")
    assert rows["same_distribution"][1].endswith("] over entire_source_total: better")
    assert "not at hand" not in report.to_markdown(outcome)


def test_the_mean_has_a_table_if_there_are_targets(make, folder):
    outcome = compare_arms([*make(), *make(target="pets")], folder)
    rows = get_rows(outcome, "mean over 2 targets")
    assert {name: words for name, (words,) in rows.items()} == {
        name: str(compared) for name, compared in outcome.mean.items()
    }
    assert list(rows) == ["random_init", "same_distribution", "warm_start"]


def test_caveats_say_what_the_intervals_hold(outcome, make, folder):
    caveats = " ".join(report.list_caveats(outcome))
    assert "this source classifier, this train split and these targets" in caveats
    assert "less than 1 point from 0" in caveats
    assert "warm_start: all seeds start from the same classifier" in caveats
    assert "learning rate" not in caveats.replace("with all learning rates", "")
    several = compare_arms([*make(), *make(learning_rate=0.2)], folder, varied_classifier=True, equivalence=0.02)
    caveats = " ".join(report.list_caveats(several))
    assert "this train split and these targets" in caveats
    assert "this source classifier" not in caveats
    assert "less than 2 points from 0" in caveats
    assert "The learning rate of each arm is the best on eval" in caveats


def test_markdown_and_terminal_say_the_same(outcome):
    text = io.StringIO()
    report.show(rich.console.Console(file=text, width=300), outcome)
    shown, markdown = text.getvalue(), report.to_markdown(outcome)
    for part in [*report.list_caveats(outcome), " ".join(advice.advise(outcome, "digits"))]:
        assert part in shown
        assert part in markdown
    for table in report.list_tables(outcome):
        assert table.title in shown
        assert table.to_markdown() in markdown


def test_advice_names_the_best_on_eval_and_what_test_says(outcome):
    compared = outcome.targets["digits"].compared["warm_start"]
    assert advice.advise(outcome, "digits", "same_distribution") == [
        "Push warm_start: it is the best on eval (97.5%); same_distribution, which is set, has 97.0%.",
        f"On test it has 97.9%, {compared}, and no more seeds are needed.",
    ]
    assert str(compared).endswith("over entire_source: better")


@pytest.mark.parametrize(("pushed", "starts"), [(None, True), ("same_distribution", True), ("warm_start", False)])
def test_advice_does_not_tell_to_push_what_is_set_to_be_pushed(outcome, pushed, starts):
    first = advice.advise(outcome, "digits", pushed)[0]
    assert first.startswith("Push ") is starts and "warm_start" in first


def test_advice_names_a_cheaper_arm_that_is_as_good(make, folder):
    results = make(["entire_source", "same_distribution", "warm_start"])
    cheap = make(["same_distribution"], evals={"same_distribution": 0.96}, classifier_images=0)
    outcome = compare_arms([*results[:2], *cheap, *results[4:]], folder)
    assert advice.advise(outcome, "digits")[2] == (
        "same_distribution is as good, to 1 point, and was pre-trained on 38,400 images in all instead of 230,400."
    )


def test_advice_on_the_reference_says_how_the_next_one_compares(make, folder):
    outcome = compare_arms(make(["entire_source", "same_distribution"], evals={"entire_source": 0.99}), folder)
    compared = outcome.targets["digits"].compared["same_distribution"]
    assert advice.advise(outcome, "digits") == [
        "Push entire_source: it is the best on eval (99.0%).",
        f"On test it has 93.9%, and same_distribution, which comes next on eval, {compared}, and no more seeds are "
        "needed.",
    ]


def test_advice_with_one_seed_says_what_cannot_be_told(make, folder):
    outcome = compare_arms(make(["entire_source", "same_distribution"], seeds=[0]), folder)
    assert advice.advise(outcome, "digits") == [
        "Push same_distribution: it is the best on eval (97.0%).",
        "On test it has 98.0%, +4.0 points over entire_source: cannot tell, one seed does not show how seeds vary, run "
        "more.",
        "Whether entire_source, with fewer images in all, is as good cannot be told.",
    ]


def test_advice_at_the_end_of_a_run_needs_its_rows_alone(make):
    assert advice.advise_run(make(["random_init", "entire_source", "same_distribution"], seeds=[0])) == {
        "digits": [
            "Push same_distribution: it is the best on eval (97.0%).",
            "On test it has 98.0%, +4.0 points over entire_source: one seed cannot tell whether that is chance, "
            "several can: `specialist compare`.",
            "Whether one of the 2 arms with fewer images in all is as good cannot be told.",
        ]
    }
    assert advice.advise_run(make(["same_distribution"], seeds=[0])) == {
        "digits": [
            "same_distribution is the only arm, and whether it helps is not known: compare it with entire_source and "
            "random_init."
        ]
    }


@pytest.mark.parametrize(
    ("varied", "how_often"), [(False, "once for all of them"), (True, "once a seed for all of them")]
)
def test_the_caveats_say_how_often_the_classifier_was_trained(make, folder, varied, how_often):
    caveats = report.list_caveats(compare_arms(make(), folder, varied_classifier=varied))
    assert sum(how_often in caveat for caveat in caveats) == 1
