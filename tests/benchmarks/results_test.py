"""The rows of docs/results.md and the page that is made from them, on rows made here."""

import dataclasses
import gzip
import re

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import photographs, result_claims, result_page, result_rows, results
from benchmarks.result_claims import Claim
from components import storage
from pipeline.compare.rows import Cell, Result
from pipeline.config.load import load

IMAGES = 2000
ORIGIN = result_rows.Origin("0123456789", "a" * 16, "a processor, 2 cores")


def make_entry(arm: str, seed: int, accuracy: float, **changes) -> result_rows.Entry:
    """Returns an entry whose model is right on the first images, of seed 1 on exactly the share `accuracy`."""
    right = np.arange(IMAGES) < round(accuracy * IMAGES) + seed - 1
    metrics = {("eval", "accuracy"): accuracy, ("test", "accuracy"): float(right.mean())}
    values = {"matcher": "", "start": "random", "n": 0, "classifier_images": 0, **changes}
    result = Result(
        Cell("digits", arm, seed, None, 0.1),
        backbone="compact_cnn",
        steps=300,
        images=38_400,
        seconds=30.5,
        finetune_seconds=10.25,
        classifier_seconds=60.0,
        settings="{}",
        metrics=metrics,
        **values,
    )
    return result_rows.Entry(result, ORIGIN, right, "0" * 12)


def make_entries(accuracies: dict[str, float], seeds: int = 3) -> result_claims.Entries:
    return {
        (arm, seed): make_entry(arm, seed, accuracy) for seed in range(seeds) for arm, accuracy in accuracies.items()
    }


def test_rows_are_read_as_they_were_written(tmp_path):
    entries = make_entries({"entire_source": 0.9, "same_distribution": 0.95}, seeds=2)
    entries["same_distribution", 1] = dataclasses.replace(
        entries["same_distribution", 1], origin=dataclasses.replace(ORIGIN, commit="fedcba9876+")
    )
    result_rows.write("glyphs", entries.values(), tmp_path)
    read = result_rows.read("glyphs", tmp_path)
    assert list(read) == list(entries)
    for key, entry in entries.items():
        assert (read[key].result, read[key].origin, read[key].test_set) == (entry.result, entry.origin, entry.test_set)
        np.testing.assert_array_equal(read[key].correct, entry.correct)
    assert (tmp_path / "glyphs.csv").read_text().splitlines()[1].startswith("glyphs,digits,entire_source,0,,0.1,")
    assert result_rows.read("photographs", tmp_path) == {}


def test_rows_that_do_not_fit_together_are_refused(tmp_path):
    entries = make_entries({"entire_source": 0.9})
    result_rows.write("glyphs", entries.values(), tmp_path)
    other = make_entries({"entire_source": 0.8})
    result_rows.write("other", other.values(), tmp_path)
    (tmp_path / "other_correct.csv").rename(tmp_path / "glyphs_correct.csv")
    with pytest.raises(
        ValueError, match=r"glyphs_correct\.csv: 0\.7995 of the images for digits, entire_source, seed 0"
    ):
        result_rows.read("glyphs", tmp_path)


def test_an_entry_has_the_correctness_and_tells_test_sets_apart():
    table = pa.table({"id": ["a", "b", "c"], "label": [4, 7, 7], "predicted": [4, 4, 7]})
    result = make_entry("entire_source", 0, 0.5).result
    entry = result_rows.make_entry(result, table, ORIGIN)
    assert entry.correct.tolist() == [True, False, True]
    others = (["a", "b", "d"], [4, 7, 7]), (["a", "b", "c"], [4, 7, 4])
    hashes = [
        result_rows.make_entry(result, pa.table({"id": ids, "label": labels, "predicted": labels}), ORIGIN).test_set
        for ids, labels in others
    ]
    assert len({entry.test_set, *hashes}) == 3


def test_what_is_missing_is_in_order_and_stands_once():
    wanted = [("glyphs", "a", 0), ("photographs", "a", 0), ("glyphs", "b", 0), ("glyphs", "a", 0), ("glyphs", "a", 1)]
    entries = {"glyphs": {("a", 0): None}, "photographs": {}}
    assert result_rows.list_missing(wanted, entries) == [
        ("photographs", "a", 0),
        ("glyphs", "b", 0),
        ("glyphs", "a", 1),
    ]


def test_every_arm_is_configured_and_each_one_that_is_shown_is_trained():
    cells = results.list_cells()
    assert len(set(cells)) == 5 * (6 + 7) + 3 * (12 + 6) + 5 * 6
    for data in results.DATA:
        # `results` trains the published network first.
        config = load(str(result_rows.FOLDER / f"{data}.yaml"), ["backbone.weights=published.keras"])
        (target,) = config.targets
        assert [config.find_missing(target, arm) for of, arm, _ in cells if of == data and config.arm(arm)] == [
            None for of, _, _ in cells if of == data
        ]
    trained = {(data, arm) for data, arm, _ in cells}
    shown = {("glyphs", arm) for factor in result_page.FACTORS for arm in factor.values}
    shown |= {("glyphs", arm) for arm in (*result_page.HEADLINE, *result_page.EXISTING)}
    for claim in (*result_claims.PAPER, *result_claims.QUESTIONS):
        shown |= {(claim.data, claim.arm), (claim.data, claim.reference)}
    assert shown <= trained


@pytest.mark.parametrize(
    ("expected", "arm", "outcome"),
    [
        ("better", 0.95, "HELD"),
        ("better", 0.85, "NOT HELD"),
        ("better", 0.9, "NOT HELD"),  # equal
        ("worse", 0.85, "HELD"),
        ("worse", 0.95, "NOT HELD"),
        ("not better", 0.85, "HELD"),
        ("not better", 0.9, "HELD"),
        ("not better", 0.95, "NOT HELD"),
        ("not worse", 0.9, "HELD"),
        ("not worse", 0.85, "NOT HELD"),
    ],
)
def test_claims_are_decided_by_the_verdict(expected, arm, outcome):
    claim = Claim("a statement", "glyphs", "same_distribution", "entire_source", expected)
    entries = {"glyphs": make_entries({"entire_source": 0.9, "same_distribution": arm})}
    judged = result_claims.judge_claims(entries, [claim])
    assert judged[claim].seeds == (0, 1, 2)
    assert judged[claim].comparison.difference == pytest.approx(arm - 0.9)
    assert result_claims.decide(claim, judged[claim]) == outcome


def test_one_seed_cannot_tell_and_no_rows_are_a_gap():
    claim = Claim("a statement", "glyphs", "same_distribution", "entire_source", "better")
    entries = {"glyphs": make_entries({"entire_source": 0.9, "same_distribution": 0.95}, seeds=1)}
    assert result_claims.decide(claim, result_claims.judge_claims(entries, [claim])[claim]) == "CANNOT TELL"
    assert result_claims.judge_claims({"glyphs": {}}, [claim]) == {}
    assert result_claims.decide(claim, None) == "NOT AT HAND"


def test_arms_of_other_test_images_are_not_compared():
    entries = dict(make_entries({"entire_source": 0.9, "same_distribution": 0.95}))
    entries["same_distribution", 2] = dataclasses.replace(entries["same_distribution", 2], test_set="1" * 12)
    with pytest.raises(ValueError, match="same_distribution, entire_source: tested on different images"):
        result_claims.compare(entries, "same_distribution", "entire_source")


def test_the_page_shows_what_there_is_and_marks_the_gaps():
    glyphs = make_entries({"entire_source": 0.9, "same_distribution": 0.95, "random_init": 0.85})
    page = result_page.make_page({"glyphs": glyphs, "photographs": {}}, results.list_cells())
    assert f"**{149 - 9} of 149 cells are not at hand yet:** [which ones](#gaps)" in page
    assert re.search("^- glyphs: .*entire_source 2, same_distribution 2", page, re.MULTILINE)
    assert re.search("^- photographs: entire_source 5, ", page, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if "|" in line]
    held = {(row[0], row[1]): (row[2], row[-1]) for row in rows if len(row) == 5}
    matched = "Pre-training on a matched sample beats everything (tables 3, 4)"
    assert held[matched, "glyphs"] == ("3", "HELD")
    assert held[matched, "photographs"][1] == "NOT AT HAND"
    accuracies = {row[0]: row[1:3] for row in rows if len(row) == 4}
    assert accuracies["random_init"] == ["3", "85.0 ± 0.1"]
    assert "| warm_start | 0 | not at hand |  |" in page
    assert "9 cells took 0.1 hours, and source classifiers for 3 seeds 0.1 hours" in page
    assert "a processor, 2 cores | 0123456789" in page


def test_the_page_of_no_rows_is_all_gaps():
    page = result_page.make_page({"glyphs": {}, "photographs": {}}, results.list_cells())
    assert "149 of 149 cells are not at hand yet" in page
    assert "HELD |" not in page and "CANNOT TELL |" not in page


def test_the_headline_is_of_the_digits():
    headline = result_page.make_headline(make_entries({"entire_source": 0.9, "same_distribution": 0.95}))
    assert "| entire_source | 90.0 ± 0.1 (3 seeds) | reference | 38,400 |" in headline
    assert re.search(
        r"\| same_distribution \| 95\.0 ± 0\.1 \(3 seeds\) \| \+5\.0 \[\+4\.\d, \+6\.\d\]: better", headline
    )
    assert "| warm_start | not at hand |  |  |" in headline


def write_idx(folder, name: str, images: np.ndarray, labels: np.ndarray) -> None:
    for part, header, values in (("images-idx3", 16, images), ("labels-idx1", 8, labels)):
        with gzip.open(folder / f"{name}-{part}-ubyte.gz", "wb") as file:
            file.write(bytes(header) + values.astype(np.uint8).tobytes())


def read_features(path) -> list[dict[str, bytes]]:
    import tensorflow as tf

    found = [tf.train.Example.FromString(record).features.feature for record in storage.read_records(str(path))]
    return [{key: value.bytes_list.value[0] for key, value in features.items()} for features in found]


def test_the_photographs_are_glyphs_and_clothes_of_disjoint_classes(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    clothes = tmp_path / "clothes"
    clothes.mkdir()
    train, test = (rng.integers(0, 256, (count, 28, 28)) for count in (230, 30))
    train[:2] = test[:2]  # not to be trained on
    write_idx(clothes, "train", train, np.arange(230) % 10)
    write_idx(clothes, "t10k", test, np.arange(30) % 10)
    monkeypatch.setattr(photographs.tfds_builders, "prepare_embedded", lambda *_: False)
    monkeypatch.setattr(photographs, "read_glyphs", lambda split: [(f"{split}-1", "Ж", b"png")])
    photographs.write(str(tmp_path / "data"), str(clothes))
    found = {path.stem: read_features(path) for path in (tmp_path / "data").iterdir()}
    assert {name: len(records) for name, records in found.items()} == {
        "source-train": 1 + 5 * 23 - 1,
        "source-eval": 1 + 5 * 3,
        "target-train": 5 * 20,
        "target-eval": 5 * 3 - 1,
        "target-test": 5 * 3,
    }
    labels = {name: {record["image/class/label"].decode() for record in records} for name, records in found.items()}
    assert labels["source-train"] == labels["source-eval"] == {"Ж", "t-shirt", "pullover", "coat", "sandal", "bag"}
    assert all(
        labels[f"target-{split}"] == {"trouser", "dress", "shirt", "sneaker", "ankle boot"}
        for split in ("train", "eval", "test")
    )
    ids = [record["id"] for records in found.values() for record in records]
    assert len(set(ids)) == len(ids)


def test_the_published_network_sees_all_clothes_and_nothing_else(tmp_path):
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 256, (count, 28, 28)) for count in (33, 12))
    train[:2] = test[:2]
    write_idx(tmp_path, "train", train, np.arange(33) % 10)
    write_idx(tmp_path, "t10k", test, np.arange(12) % 10)
    photographs.write_clothes(str(tmp_path / "data"), str(tmp_path))
    found = {path.stem: read_features(path) for path in (tmp_path / "data").iterdir()}
    assert {name: len(records) for name, records in found.items()} == {"clothes-train": 31, "clothes-eval": 12}
    assert {record["image/class/label"].decode() for record in found["clothes-train"]} == set(photographs.CLASSES)


def test_absent_clothes_are_told_with_the_way_out(tmp_path, monkeypatch):
    def open_none(*_):
        raise ValueError("not prepared")

    monkeypatch.setattr(photographs.tfds_builders, "open_prepared", open_none)
    with pytest.raises(FileNotFoundError, match="apt-get install dataset-fashion-mnist"):
        photographs.write(str(tmp_path / "data"), str(tmp_path / "none"))
    assert not (tmp_path / "data").exists()
