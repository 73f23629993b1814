"""The paper's tables for one's own data."""

import csv
import dataclasses
import io

import pytest

from pipeline.compare import tables

SUBSETS = ("random_init", "entire_source", "label_subset", "same_distribution")
NOT_AT_HAND = "not at hand"


def fill(name, results, **settings):
    """Returns the texts of the rows, and the notes."""
    filled = tables.fill_table(name, results, **settings)
    return [list(row) for row in filled.to_table().rows], list(filled.notes)


def test_subsets_stand_beside_the_published_mean_of_the_targets(make_result):
    values = {"random_init": (0.9, 0.8), "entire_source": (0.9, 0.92), "same_distribution": (0.96, 0.98)}
    results = [make_result(arm, value, seed=seed) for arm, of in values.items() for seed, value in enumerate(of)]
    rows, notes = fill("subsets", results)
    assert rows == [
        ["digits", "random_init", "85.0 ± 63.5", "86.4", "86.4", "mean of 6"],
        ["digits", "entire_source", "91.0 ± 12.7", "89.2", "89.5", "mean of 6"],
        ["digits", "label_subset", NOT_AT_HAND, "92.7", "", "mean of 6"],
        ["digits", "same_distribution", "97.0 ± 12.7", "93.5", "89.5", "mean of 6"],
    ]
    assert notes[0] == "digits: not at hand: run `specialist compare … --arms label_subset`"


def test_a_target_of_the_paper_has_its_own_figures(make_result):
    rows, notes = fill("subsets", [make_result(arm, 0.5, target="pets") for arm in SUBSETS])
    assert [row[1:] for row in rows] == [
        ["random_init", "50.0", "80.8", "80.8", "pets"],
        ["entire_source", "50.0", "92.5", "93.3", "pets"],
        ["label_subset", "50.0", "96.7", "", "pets"],  # animals
        ["same_distribution", "50.0", "97.1", "94.1", "pets"],
    ]
    assert not any(NOT_AT_HAND in note for note in notes)


def test_several_targets_have_a_mean_of_the_arms_that_all_have(make_result):
    results = [make_result("entire_source", 0.5), make_result("entire_source", 0.7, target="cars")]
    rows, _ = fill("subsets", [*results, make_result("random_init", 0.2)])
    assert [row for row in rows if row[0] == "mean of 2"] == [
        ["mean of 2", "entire_source", "60.0", "89.2", "89.5", "mean of 6"]
    ]
    assert ["cars", "random_init", NOT_AT_HAND, "92.1", "92.1", "cars"] in rows


def test_backbones_have_the_table_of_their_name(make_result):
    results = [
        make_result(arm, value, backbone=backbone, target="cars")
        for backbone, value in (("inception_v3", 0.5), ("compact_cnn", 0.4))
        for arm in SUBSETS
    ]
    rows, notes = fill("backbones", results[:-1])
    assert [row[0] for row in rows] == ["inception_v3"] * 4 + ["compact_cnn"] * 4 + ["amoebanet_b"] * 4
    assert [row[2:] for row in rows[3:]] == [
        ["same_distribution", "50.0", "95.7", "92.1", "cars"],
        ["random_init", "40.0", "", "", ""],
        ["entire_source", "40.0", "", "", ""],
        ["label_subset", "40.0", "", "", ""],
        ["same_distribution", NOT_AT_HAND, "", "", ""],
        ["random_init", NOT_AT_HAND, "", "", "cars"],
        ["entire_source", NOT_AT_HAND, "95.3", "94.2", "cars"],
        ["label_subset", NOT_AT_HAND, "96.2", "", "cars"],
        ["same_distribution", NOT_AT_HAND, "95.8", "93.5", "cars"],
    ]
    assert notes[0] == "compact_cnn, cars: not at hand: run `specialist compare … --arms same_distribution`"
    assert notes[1].startswith("amoebanet_b: not at hand: run `specialist compare … --arms random_init,entire_source,")
    assert notes[1].endswith("in another workspace, and join that one by `--with`")


def test_selection_and_weights_have_the_figures_of_their_source(make_result):
    rows, _ = fill("selection", [make_result("emd_subset", 0.5)])
    assert [row[1:] for row in rows] == [
        ["entire_source", NOT_AT_HAND, "97.1", "flowers102"],
        ["same_distribution", NOT_AT_HAND, "97.7", "flowers102"],
        ["emd_subset", "50.0", "97.7", "flowers102"],
        ["nearest_examples", NOT_AT_HAND, "97.0", "flowers102"],
    ]
    rows, _ = fill("weights", [make_result("reversed_weights", 0.25)])
    assert [row[1:] for row in rows] == [
        ["same_distribution", NOT_AT_HAND, "97.1", "pets"],
        ["uniform_labels", NOT_AT_HAND, "95.3", "pets"],
        ["reversed_weights", "25.0", "84.9", "pets"],
    ]
    columns = tables.fill_table("weights", [make_result("reversed_weights")]).to_table().columns
    assert columns == ("target", "arm", "accuracy", "published (JFT)", "published for")


def test_arms_of_other_names_are_found_by_their_matcher(make_result):
    results = [
        make_result("t1", 0.5, matcher="same_distribution"),
        make_result("t2", 0.6, matcher="same_distribution"),
        make_result("warm_start", 0.7, matcher="same_distribution"),
    ]
    rows, _ = fill("weights", results)
    assert [row[1:3] for row in rows[:2]] == [["t1", "50.0"], ["t2", "60.0"]]
    assert len(rows) == 4
    rows, _ = fill("weights", [*results, make_result("same_distribution", 0.8)])
    assert [row[1:3] for row in rows[:1]] == [["same_distribution", "80.0"]]
    assert len(rows) == 3


def test_the_largest_number_of_shots_and_the_metric_are_shown(make_result):
    few = [make_result("same_distribution", 0.1, shots=2), make_result("same_distribution", 0.3, shots=5)]
    rows, notes = fill("weights", few)
    assert rows[0][2] == "30.0"
    assert notes[0] == "compact_cnn: fine-tuned with 5 images a class"
    full = make_result("same_distribution", 0.6)
    full = dataclasses.replace(full, metrics={**full.metrics, ("test", "mean_per_class_accuracy"): 0.55})
    rows, notes = fill("weights", [*few, full], metric="mean_per_class_accuracy")
    assert rows[0][2] == "55.0"
    assert notes[0].startswith("digits: not at hand")


def test_files_hold_the_table_and_its_values(make_result, tmp_path):
    values = (0.5, 0.7)
    results = [make_result("same_distribution", value, seed=seed) for seed, value in enumerate(values)]
    filled = tables.fill_table("weights", results)
    paths = tables.write(tmp_path / "new", filled)
    assert [path.name for path in paths] == ["table_weights.md", "table_weights.csv"]
    assert paths[0].read_text() == filled.to_markdown()
    assert filled.to_markdown().startswith("**weights: weights of the labels (table 6), in %**\n\n| target | arm |")
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    assert float(rows[0]["value"]) == pytest.approx(60)
    assert float(rows[0]["high"]) - float(rows[0]["low"]) == pytest.approx(2 * 12.706204736 * 10)
    assert (rows[0]["seeds"], rows[0]["learning_rate"], rows[0]["published (JFT)"]) == ("2", "0.1", "97.1")
    assert (rows[1]["arm"], rows[1]["value"], rows[1]["published (JFT)"]) == ("uniform_labels", "", "95.3")


def test_errors_say_how_to_go_on(make_result):
    with pytest.raises(ValueError, match=r"table: 'weight'; must be one of .* \(did you mean weights\?\)"):
        tables.fill_table("weight", [])
    with pytest.raises(
        ValueError, match=r"table weights: not at hand: run `specialist compare … --arms same_distribution,"
    ):
        tables.fill_table("weights", [make_result("emd_subset")])
    with pytest.raises(ValueError, match="table subsets: the results are of the backbones compact_cnn, resnet; give"):
        tables.fill_table("subsets", [make_result("emd_subset"), make_result("emd_subset", backbone="resnet")])
