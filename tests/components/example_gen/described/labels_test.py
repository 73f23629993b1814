"""The same labels in every form that people give them: what is read, and what is refused.

A row is the split, the number of its image, and what the data say of its labels.
"""

from typing import Any

import pytest

TABLES = ["csv", "tsv", "parquet"]
COLUMNS = ["dataset", "csv", "parquet", "tfrecords", "indexer"]  # a column of a TSV is one of a CSV
KINDS = ["folder", *COLUMNS, "tsv", "uris"]
Row = tuple[str, int, Any]

# Image 0 is there with two labels, image 1 twice with one, image 2 in both splits, and image 3 in both with another
# label. The others are as they should be.
AGAIN: list[Row] = [
    *(("train", 0, "dog"), ("train", 0, "cat"), ("train", 1, "cat"), ("train", 1, "cat")),
    *(("train", 2, "dog"), ("val", 2, "dog"), ("train", 3, "cat"), ("val", 3, "dog")),
    *(("train", 4, "cat"), ("train", 5, "dog"), ("val", 6, "cat"), ("val", 7, "dog")),
]
BY_CONTENT = {"dataset", "tfrecords", "indexer"}  # where the content is the id


@pytest.mark.parametrize("kind", KINDS)
def test_equal_images_with_different_labels_are_set_aside(describe, kind):
    found = describe(kind, AGAIN, ingest=True)
    twice = [["cat"]] if kind in BY_CONTENT else [["cat"], ["cat"]]
    assert found.labels == {
        "train": {1: twice, 2: [["dog"]], 4: [["cat"]], 5: [["dog"]]},
        "eval": {2: [["dog"]], 6: [["cat"]], 7: [["dog"]]},
    }
    assert found.rejected == ["conflicting_labels"] * 4 + ["duplicate_image"] * (kind in BY_CONTENT)
    repeated = [] if kind in BY_CONTENT else [("repeated_image", "train", 1)]
    same_id = [("same_id", "train, eval", 1)] if kind in BY_CONTENT else []
    assert found.findings == [*repeated, *same_id, ("same_image", "train, eval", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_equal_images_are_merged_where_several_are_allowed(describe, kind):
    found = describe(kind, AGAIN, ingest=True, several_labels=True)
    twice = [["cat"]] if kind in BY_CONTENT else [["cat"], ["cat"]]
    assert found.labels == {
        "train": {0: [["cat", "dog"]], 1: twice, 2: [["dog"]], 3: [["cat"]], 4: [["cat"]], 5: [["dog"]]},
        "eval": {2: [["dog"]], 3: [["dog"]], 6: [["cat"]], 7: [["dog"]]},
    }
    assert found.rejected == ["duplicate_image"] * (2 if kind in BY_CONTENT else 1)
    repeated = [] if kind in BY_CONTENT else [("repeated_image", "train", 1)]
    same_id = [("same_id", "train, eval", 2)] if kind in BY_CONTENT else []
    assert found.findings == [*repeated, *same_id, ("same_image", "train, eval", 2)]


@pytest.mark.parametrize("kind", [*TABLES, "uris"])
def test_the_smallest_id_stays(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("train", 0, "emu"), ("val", 2, "cat")]
    found = describe(kind, [*rows, ("val", 3, "dog")], several_labels=True)
    assert found.ids == {"train": {"images/000.png", "images/001.png"}, "eval": {"images/004.png", "images/005.png"}}
    assert found.labels["train"] == {0: [["cat", "dog", "emu"]], 1: [["cat"]]}


@pytest.mark.parametrize("kind", ["tfrecords", "indexer"])
def test_the_smallest_id_of_records_stays(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("val", 2, "cat"), ("val", 3, "dog")]
    found = describe(kind, rows, ids=True, several_labels=True)
    assert found.ids == {"train": {"000.png", "001.png"}, "eval": {"003.png", "004.png"}}
    assert found.labels["train"] == {0: [["cat", "dog"]], 1: [["cat"]]}


@pytest.mark.parametrize("kind", [*TABLES, "uris"])
def test_a_path_may_be_there_again_where_several_labels_are_allowed(describe, kind):
    rows = [("train", 0, "dog"), ("train", 1, "cat"), ("train", 0, "cat"), ("val", 2, "cat"), ("val", 3, "dog")]
    found = describe(kind, rows, repeated=True, several_labels=True)
    assert found.ids["train"] == {"images/000.png", "images/001.png"}
    assert found.labels["train"] == {0: [["cat", "dog"]], 1: [["cat"]]}
    assert found.rejected == []
    key = "uris: lines 1, 3 of" if kind == "uris" else "image_key: column 'path' of"
    with pytest.raises(ValueError, match=f"^{key} .*'images/000.png' is .*; ids must be unique, unless several_labels"):
        describe(kind, rows, repeated=True)


NAMES = ["ant", "bee", "cow"]
FROM_ZERO: list[Row] = [("train", 0, 0), ("train", 1, 1), ("train", 2, 2), ("val", 3, 1), ("val", 4, 2)]
FROM_ONE: list[Row] = [(split, image, label + 1) for split, image, label in FROM_ZERO]
EXPECTED = {"train": {0: [["ant"]], 1: [["bee"]], 2: [["cow"]]}, "eval": {3: [["bee"]], 4: [["cow"]]}}
LABEL_MAP = "item {\n  id: 1\n  name: 'ant'\n}\nitem { name: \"bee\" id: 2 }\nitem {\n id: 3\n display_name: 'cow'\n}\n"


@pytest.fixture
def names(tmp_path):
    def write(text: str = "".join(f"{name}\n" for name in NAMES)) -> str:
        (tmp_path / "names.txt").write_text(text)
        return str(tmp_path / "names.txt")

    return write


INDICES = pytest.mark.parametrize("kind", [*COLUMNS, "uris"])


@INDICES
@pytest.mark.parametrize(
    ("rows", "text", "settings"),
    [
        (FROM_ZERO, None, {}),
        (FROM_ZERO, None, {"label_format": "index"}),
        (FROM_ONE, None, {"first_label": 1}),
        (FROM_ONE, "1:ant\n2:bee\n3:cow\n", {}),
        (FROM_ONE, "3: cow\n1: ant\n2: bee\n", {"first_label": 1}),
        (FROM_ONE, LABEL_MAP, {"label_format": "index"}),
    ],
    ids=["from 0", "said to be indices", "from 1", "numbered", "numbered in another order", "a label map"],
)
def test_indices(describe, names, kind, rows, text, settings, request):
    found = describe(kind, rows, names=names() if text is None else names(text), **settings)
    assert (found.names, found.labels, found.rejected) == (tuple(NAMES), EXPECTED, [])


@INDICES
@pytest.mark.parametrize(
    ("rows", "text", "message"),
    [
        (
            FROM_ONE,
            None,
            r"^label_(key|format): .*the labels are \d to 3, but the 3 names in '.*names\.txt' have the indices 0 to 2 "
            r"\('ant' to 'cow'\); if the first name has the label 1, set first_label: 1",
        ),
        (
            FROM_ZERO,
            "1:ant\n2:bee\n3:cow\n",
            r"^label_(key|format): .*the labels are 0 to \d, but the 3 names in .* have the indices 1 to 3 .*; "
            r"give the names of all labels in their order, or an index before each",
        ),
        (
            [("train", 0, 0), ("train", 1, 7), ("val", 2, 0)],
            None,
            r"the labels are \d to 7, but .*; give the names of all",
        ),
    ],
    ids=["from 1", "from 0 and numbered from 1", "far outside"],
)
def test_an_index_without_a_name(describe, names, kind, rows, text, message):
    with pytest.raises(Exception, match=message):
        describe(kind, rows, names=names() if text is None else names(text))


@pytest.mark.parametrize("kind", ["csv", "parquet", "tfrecords", "indexer", "dataset", "uris"])
def test_digits_that_may_be_names_or_indices(describe, names, kind):
    text = "0\n2\n1\n"
    with pytest.raises(
        ValueError, match=r"^label_key: .* is 1 a name, or the index of '2'\? Set label_format to name or"
    ):
        describe(kind, FROM_ZERO, names=names(text))
    by_name = describe(kind, FROM_ZERO, names=names(text), label_format="name")
    assert by_name.labels["train"] == {0: [["0"]], 1: [["1"]], 2: [["2"]]} and by_name.names == ("0", "2", "1")
    by_index = describe(kind, FROM_ZERO, names=names(text), label_format="index")
    assert by_index.labels["train"] == {0: [["0"]], 1: [["2"]], 2: [["1"]]}


def one_hot(rows: list[Row], kind: type) -> list[Row]:
    return [(split, image, [kind(label == place) for place in range(3)]) for split, image, label in rows]


VECTORS = pytest.mark.parametrize("kind", COLUMNS)
NUMBERS = pytest.mark.parametrize("number", [int, float], ids=["int", "float"])


@VECTORS
@NUMBERS
def test_vectors_are_no_labels(describe, names, kind, number):
    if kind == "csv" and number is float:
        pytest.skip("digits in a text are no floating-point numbers")
    for several_labels in (False, True):
        with pytest.raises(
            ValueError, match=r"^label_key: .* vectors of 3 numbers 0 and 1, .*set label_format: one_hot"
        ):
            describe(kind, one_hot(FROM_ZERO, number), names=names(), several_labels=several_labels)


@VECTORS
@NUMBERS
def test_vectors_are_read_as_vectors(describe, names, kind, number):
    if kind == "csv" and number is float:
        pytest.skip("digits in a text are no floating-point numbers")
    found = describe(kind, one_hot(FROM_ZERO, number), names=names(), label_format="one_hot")
    assert (found.names, found.labels, found.rejected) == (tuple(NAMES), EXPECTED, [])


SEVERAL: list[Row] = [("train", 0, [1, 0, 1]), ("train", 1, [0, 1, 0]), ("val", 2, [1, 0, 0]), ("val", 3, [0, 0, 0])]


@VECTORS
def test_vectors_with_several_ones(describe, names, kind):
    found = describe(kind, SEVERAL, names=names(), label_format="one_hot", several_labels=True)
    assert found.labels == {"train": {0: [["ant", "cow"]], 1: [["bee"]]}, "eval": {2: [["ant"]]}}
    assert found.rejected == ["no_label"]
    rows = [*SEVERAL, ("train", 4, [1, 0, 0])]
    single = describe(kind, rows, names=names(), label_format="one_hot")
    assert single.labels == {"train": {1: [["bee"]], 4: [["ant"]]}, "eval": {2: [["ant"]]}}
    assert single.rejected == ["no_label", "several_labels"]


@VECTORS
@pytest.mark.parametrize("label", [[1, 0], [0, 2, 0]], ids=["too short", "another number"])
def test_what_is_no_vector(describe, names, kind, label):
    rows = [("train", 0, label), ("train", 1, label), ("val", 2, label)]
    with pytest.raises(Exception, match=r"label_key: .*is no vector of 3 numbers 0 and 1, a place for each name in '"):
        describe(kind, rows, names=names(), label_format="one_hot")


@pytest.mark.parametrize("kind", ["dataset", "parquet", "tfrecords", "indexer"])
def test_floating_point_numbers(describe, names, kind):
    rows = [(split, image, float(label)) for split, image, label in FROM_ZERO]
    with pytest.raises(
        ValueError, match=r"^label_key: .* has floating-point numbers, such as 0\.0; set label_format: index"
    ):
        describe(kind, rows, names=names())
    assert describe(kind, rows, names=names(), label_format="index").labels == EXPECTED
    halves = [(split, image, label + 0.5) for split, image, label in rows]
    with pytest.raises(
        ValueError, match=r"^label_key: .* has floating-point numbers, such as 0\.5; write names or integers"
    ):
        describe(kind, halves, names=names())


@pytest.mark.parametrize("kind", ["tfrecords", "indexer", "dataset"])
def test_digits_as_text(describe, names, kind):
    rows = [(split, image, str(label)) for split, image, label in FROM_ZERO]
    assert describe(kind, rows, names=names()).labels == EXPECTED


@INDICES
def test_a_name_that_is_not_in_the_file(describe, names, kind):
    rows = [("train", 0, "ant"), ("train", 1, "bee"), ("train", 2, "bea"), ("val", 3, "ant")]
    with pytest.raises(Exception, match=r"the label 'bea' is not in '.*names\.txt'; did you mean 'bee'"):
        describe(kind, rows, names=names())
