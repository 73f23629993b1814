"""What labels are, and the names of their indices: without any data around them."""

import difflib

import pytest

from components.example_gen.readers import labels
from components.example_gen.readers.labels import LabelMap, Names, WrongLabelError
from components.example_gen.readers.names import read_names


def names(count: int) -> Names:
    return Names(tuple(f"n{i}" for i in range(count)), tuple(range(count)), "'names.txt'")


@pytest.mark.parametrize(
    ("rows", "count", "is_vector"),
    [
        ([[1, 0], [0, 1]], None, True),
        ([[0, 1], [0, 1]], None, True),
        ([["1", "0"], ["0", "1"]], None, True),
        ([[1, 0], [0, 1]], 3, True),
        ([[True, False], [False, True]], None, True),
        ([[1.0, 0.0], [0.0, 1.0]], 2, True),
        ([[0, 1, 0]], None, True),
        ([[0, 1], [0, 1]], 3, False),
        ([[0, 1], [1]], None, False),
        ([[0, 1], [0, 2]], 3, False),
        ([[0], [1]], 2, False),
        ([[1], [0]], 3, False),
        ([[0], [0]], 1, False),
    ],
    ids=[
        *("two places", "one order", "texts", "too many names", "truth values", "fractions", "three places"),
        *("the same two labels", "several lengths", "other labels", "single labels"),
        *("the first two of three labels", "one class"),
    ],
)
def test_vectors(rows, count, is_vector):
    known = None if count is None else names(count)
    if not is_vector:
        assert labels.decide_form(rows, known, None, "x") == ("name" if known is None else "index")
        return
    with pytest.raises(ValueError, match=r"^label_key: x has vectors of \d numbers .*set label_format: one_hot"):
        labels.decide_form(rows, known, None, "x")


def test_truth_values_that_are_said_to_be_names():
    with pytest.raises(ValueError, match=r"^label_key: x has vectors, such as \[True, False\]; .* one_hot$"):
        labels.decide_form([[True, False], [False, True]], None, "name", "x")
    with pytest.raises(ValueError, match=r"^label_key: x has true and false, such as False; write names or integers$"):
        labels.decide_form([[True], [False]], None, "name", "x")


@pytest.mark.parametrize(
    ("texts", "is_list"),
    [
        (["[0, 1, 0]", "[1, 0, 0]"], True),
        (["[0 1 0]", "[1. 0. 0.]"], True),
        (["['cat', 'dog']", '["cow"]', "[]"], True),
        (["[cat]", "[dog]"], False),
        (["['cat']", "dog"], False),
        (["0.0", "1.0"], False),
    ],
    ids=["vectors", "of NumPy", "names", "brackets", "one of them", "fractions"],
)
def test_lists_that_are_written_as_text(texts, is_list):
    rows = [[text] for text in texts]
    assert labels.decide_form(rows, None, "name", "x") == "name"
    if not is_list:
        assert labels.decide_form(rows, None, None, "x") == "name"
        return
    with pytest.raises(ValueError, match=r"^label_key: x has lists that are written as text, such as '\["):
        labels.decide_form(rows, None, None, "x")


def test_indices_as_text():
    mapping = LabelMap(names(3), "index")
    assert [mapping.find([text]) for text in ("2", "1.0", " 0. ")] == [(2,), (1,), (0,)]
    for text in ("1.5", "1.0.0", "x"):
        with pytest.raises(WrongLabelError, match=f"^the label '{text}' is no index of a name; "):
            mapping.find([text])
    assert "'n0' to 'n2'" in mapping.explain_range(["4.0", "x", "1"])


def test_no_first_label_below_0():
    found = LabelMap(names(3), "index").explain_range([-1, 0, 1])
    assert found.startswith("the labels are -1 to 1, ") and "no index is below 0" in found
    assert "first_label" not in found


def test_near_names_are_looked_for_once(monkeypatch):
    calls = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda name, known, n: calls.append(name) or ["n1"])

    def refuse(positions: list[int], message: str) -> None:
        raise ValueError(f"{positions}: {message}")

    with pytest.raises(ValueError, match=r"^\[1, 3\]: the label 'm1' is not in 'names\.txt'; did you mean 'n1'\?$"):
        labels.map_rows([["n1"], ["m1"], ["n0"], ["m2"]], LabelMap(names(2), "name"), refuse)
    assert calls == ["m1"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("4:3\n16:9\n", {0: "4:3", 1: "16:9"}),
        ("1:7\n2:9\n", {1: "7", 2: "9"}),
        ("3:cat\n17:9\n", {3: "cat", 17: "9"}),
        (r"item { id: 4 name: 'caf\303\251' }", {4: "café"}),
        ("item { id: 5 name: 'a' keypoints { id: 7 name: 'b' } }\nitem: { name: 'c', id: 0 }", {0: "c", 5: "a"}),
        ("item { id: 1 name: 'a } b' # item { id: 2 }\n}", {1: "a } b"}),
    ],
    ids=["ratios", "a run of numbers", "gaps", "octal", "fields of others", "a brace"],
)
def test_files_of_names(tmp_path, content, found):
    (tmp_path / "names").write_text(content)
    names = read_names(str(tmp_path / "names"))
    assert dict(zip(names.indices, names.names, strict=True)) == found


def test_labels_of_another_encoding():
    column = labels.LabelColumn(encoding="latin-1")
    assert column.plain_labels(["ä", "ö".encode("latin-1"), "ü".encode(), 3]) == ["ä", "ö", "ü", 3]
    assert labels.LabelColumn().plain_labels(["ö".encode("latin-1")]) == ["\\xf6"]
