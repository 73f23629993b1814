"""The tidy CSV of a comparison."""

import csv
import dataclasses

import hypothesis
import hypothesis.strategies as st
import pytest

from pipeline.compare import rows
from pipeline.compare.rows import Cell, Result

RESULT = Result(
    Cell("digits", "same_distribution", 3, None, 0.1),
    backbone="compact_cnn",
    matcher="same_distribution",
    start="random",
    n=10_000,
    steps=300,
    images=38_400,
    classifier_images=192_000,
    seconds=31.5,
    finetune_seconds=6.5,
    classifier_seconds=140.25,
    settings='{"temperature": 1.0}',
    metrics={("eval", "accuracy"): 0.95, ("test", "accuracy"): 0.1 + 0.2},
)
OTHER = Result(
    Cell("digits", "random_init", 3, 5, 0.03),
    backbone="compact_cnn",
    matcher="",
    start="random",
    n=0,
    steps=0,
    images=0,
    classifier_images=0,
    seconds=7.0,
    finetune_seconds=7.0,
    classifier_seconds=0.0,
    settings="{}",
    metrics={("eval", "accuracy"): 0.8},
)
HEADER = ",".join(f'"{column}"' for column in rows.COLUMNS)
TEXT = f"""{HEADER}
"digits","same_distribution",3,"",0.1,"compact_cnn","same_distribution","random",10000,300,38400,192000,31.5,6.5,140.25,\
"{{""temperature"": 1.0}}","eval","accuracy",0.95
"digits","same_distribution",3,"",0.1,"compact_cnn","same_distribution","random",10000,300,38400,192000,31.5,6.5,140.25,\
"{{""temperature"": 1.0}}","test","accuracy",0.30000000000000004
"digits","random_init",3,5,0.03,"compact_cnn","","random",0,0,0,0,7.0,7.0,0.0,"{{}}","eval","accuracy",0.8
"""

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=5)
numbers = st.floats(allow_nan=False)
counts = st.integers(0, 2**40)
results = st.builds(
    Result,
    cell=st.builds(
        Cell, target=texts, arm=texts, seed=counts, shots=st.none() | st.integers(1, 99), learning_rate=numbers
    ),
    backbone=texts,
    matcher=texts,
    start=st.sampled_from(["random", "classifier"]),
    n=counts,
    steps=counts,
    images=counts,
    classifier_images=counts,
    seconds=numbers,
    finetune_seconds=numbers,
    classifier_seconds=numbers,
    settings=texts,
    metrics=st.dictionaries(st.tuples(texts, texts), numbers, min_size=1, max_size=3),
)


def test_a_row_is_a_metric_with_all_digits():
    assert rows.to_csv([RESULT, OTHER]) == TEXT


def test_the_totals_count_the_classifier():
    assert (RESULT.total_images, RESULT.total_seconds) == (230_400, 171.75)
    assert (OTHER.total_images, OTHER.total_seconds) == (0, 7.0)


@hypothesis.given(st.lists(results, max_size=4, unique_by=lambda result: result.cell))
def test_what_is_written_is_read(found):
    assert rows.from_csv(rows.to_csv(found)) == found


def test_a_file_is_written_whole_and_read(tmp_path):
    path = tmp_path / "new" / "results.csv"
    rows.write(path, [RESULT, OTHER])
    assert rows.read(path) == [RESULT, OTHER]
    assert path.read_bytes() == TEXT.encode()
    with pytest.raises(ValueError, match=r"results: two of digits, random_init, seed 3, 5 images a class"):
        rows.write(path, [OTHER, OTHER])
    assert rows.read(path) == [RESULT, OTHER]
    assert [file.name for file in path.parent.iterdir()] == ["results.csv"]


def test_columns_may_stand_in_another_order_and_beside_others(tmp_path):
    path = tmp_path / "results.csv"
    lines = [[*reversed(line), "note"] for line in csv.reader(TEXT.splitlines())]
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # as a spreadsheet writes it
        csv.writer(file).writerows(lines)
    assert rows.read(path) == [RESULT, OTHER]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("0.8\n", "good\n"), r"f\.csv, line 4: value: 'good' is not a number; correct it, or delete the file and let"),
        ((",3,5,", ",3,5.5,"), r"f\.csv, line 4: shots: '5\.5' is not an integer, or empty; correct it"),
        ((",3,5,", ",x,5,"), r"f\.csv, line 4: seed: 'x' is not an integer; correct it"),
        (('"{}",', ""), r"f\.csv, line 4: 18 values for 19 columns; correct it"),
        (
            ('"seconds"', '"time"'),
            r"f\.csv, line 1: no column seconds; its first line must name the columns target, arm",
        ),
        (
            ('"test","accuracy"', '"eval","accuracy"'),
            r"f\.csv, line 3: accuracy on eval of digits, same.* stands twice",
        ),
        (
            ('31.5,6.5,140.25,"{""temperature"": 1.0}","test"', '32.5,6.5,140.25,"{""temperature"": 1.0}","test"'),
            r"f\.csv, line 3: seconds: 32\.5, but 31\.5 in an earlier line of the same cell",
        ),
    ],
    ids=["value", "shots", "seed", "short", "column", "twice", "differs"],
)
def test_an_error_names_file_line_and_way_out(tmp_path, change, message):
    assert TEXT.count(change[0]) == 1
    path = tmp_path / "f.csv"
    path.write_text(TEXT.replace(*change))
    with pytest.raises(ValueError, match=message):
        rows.read(path)


def test_a_file_that_is_empty_missing_or_no_text_is_an_error(tmp_path):
    path = tmp_path / "f.csv"
    with pytest.raises(ValueError, match=r"f\.csv: not there; run `specialist compare` first"):
        rows.read(path)
    path.write_text("")
    with pytest.raises(ValueError, match=r"f\.csv, line 1: no column target, arm"):
        rows.read(path)
    path.write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"f\.csv: is not UTF-8 .* at byte 0\); correct it"):
        rows.read(path)


def test_a_result_without_a_metric_is_an_error():
    with pytest.raises(ValueError, match=r"random_init, .* has no metric"):
        rows.to_csv([dataclasses.replace(OTHER, metrics={})])


def test_workspaces_of_different_backbones_are_joined():
    large = dataclasses.replace(OTHER, backbone="inception_v3")
    assert rows.join([("a", [RESULT, OTHER]), ("b", [large])]) == [RESULT, OTHER, large]
    with pytest.raises(
        ValueError, match=r"b: has a result of digits, random_init, .*, compact_cnn, and so has a; join"
    ):
        rows.join([("a", [RESULT, OTHER]), ("b", [large, OTHER])])
