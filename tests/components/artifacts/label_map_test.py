"""Labels of a classifier from elsewhere, and what they stand for."""

import json

import pytest

from components.artifacts import label_map, vocabulary
from components.artifacts.label_map import ClassifierLabels

LABELS = ClassifierLabels(("owl", "crow", "tit, great", "jay", "wren"))
SOURCE = ("bird", "owl", "fish")


def test_a_name_a_line():
    assert label_map.parse_labels("\ufeffowl\n tit, great \r\nжай\n\n").names == ("owl", "tit, great", "жай")


def test_labels_as_a_model_carries_them():
    text = vocabulary.dumps(vocabulary.make_vocabulary(["tit, great", "owl"], {"owl": ["bird"]}))
    assert label_map.parse_labels(text) == ClassifierLabels(("tit, great", "owl"))


def test_a_class_index_of_keras():
    index = {"0": ["n02012849", "crane"], "1": ["n03126707", "crane"], "2": ["n01484850", "great_white_shark"]}
    found = label_map.parse_labels(json.dumps(index))
    assert found.names == ("crane (n02012849)", "crane (n03126707)", "great_white_shark")
    pairs = label_map.join(found, ())
    for source, expected in [
        (("great_white_shark", "n03126707"), [-1, 1, 0]),
        (("great white shark", "crane (n02012849)"), [1, -1, 0]),
        (("n01484850", "n02012849", "crane"), [1, -1, 0]),  # which of the cranes, nobody knows
    ]:
        assert label_map.match(found.names, pairs, source).positions.tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("owl\n\njay\n", "^line 2 is empty"),
        ("", "^names: a vocabulary needs at least one label"),
        ("owl\njay\nowl\n", r"^names: \['owl'\] occur more than once"),
        ('{"1": ["n1", "owl"]}', "^it is JSON, but not of the form"),
        ('{"0": "owl"}', "^it is JSON, but not of the form"),
        ('{"0": ', "^it is JSON, but not of the form"),
        ('["owl",\n "jay"]', "^it is JSON, but not of the form"),
    ],
    ids=["gap", "nothing", "twice", "numbers", "names alone", "half", "list"],
)
def test_files_that_are_not_of_labels(text, message):
    with pytest.raises(ValueError, match=message):
        label_map.parse_labels(text)


def test_a_label_may_be_in_brackets():
    assert label_map.parse_labels("[background]\nowl").names == ("[background]", "owl")


def test_several_labels_for_one_and_none_for_others():
    chosen = label_map.parse_map('label,source\ncrow,bird\n"tit, great",bird\nowl,\n', LABELS)
    assert chosen == (("crow", "bird"), ("tit, great", "bird"), ("owl", ""))
    label_map.check_sources(chosen, SOURCE)
    found = label_map.match(LABELS.names, label_map.join(LABELS, chosen), SOURCE)
    assert found.positions.tolist() == [-1, 0, 0, -1, -1]
    assert found.unmatched.tolist() == [1, 2]


def test_without_a_file_equal_names_match():
    found = label_map.match(LABELS.names, label_map.join(LABELS, ()), SOURCE)
    assert found.positions.tolist() == [1, -1, -1, -1, -1]


def test_a_file_may_call_a_label_by_any_of_its_names():
    index = label_map.parse_labels(json.dumps({"0": ["n1", "owl"], "1": ["n2", "jay"]}))
    chosen = label_map.parse_map("label,source\nn2,bird\n", index)
    assert chosen == (("jay", "bird"),)
    found = label_map.match(index.names, label_map.join(index, chosen), ("n1", "n2", "bird"))
    assert found.positions.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,source\nowl,bird\n", "^has the columns name, source; they have to be label,source"),
        ("", "^has the columns none"),
        ("label,source\nowl\n", "^line 2 has not two columns"),
        ("label,source\nowl,bird,tree\n", "^line 2 has not two columns"),
        (
            "label,source\nowl,bird\njai,bird\n",
            r"^line 3: 'jai' is no label of the classifier \(did you mean 'jay'\?\)",
        ),
        ("label,source\nowl,bird\nowl,fish\n", "^line 3: 'owl' is named before"),
    ],
    ids=["columns", "nothing", "one column", "three columns", "unknown", "twice"],
)
def test_files_that_map_nothing(text, message):
    with pytest.raises(ValueError, match=message):
        label_map.parse_map(text, LABELS)


def test_labels_that_the_source_lacks():
    with pytest.raises(
        ValueError, match=r"^'birds' is no label of the source \(did you mean 'bird'\?\), nor are 1 other"
    ):
        label_map.check_sources((("crow", "birds"), ("jay", ""), ("owl", "fisch")), SOURCE)


def test_no_label_that_the_source_has():
    with pytest.raises(
        ValueError, match=r"^none of the classifier's 5 labels \('owl', 'crow', .*source's 2 \('a', 'b'\)"
    ):
        label_map.match(LABELS.names, (), ("a", "b"))


def test_what_is_written_is_read():
    pairs = (('tit, "great"', "a\nb"), ("owl", ""), ("ж", "猫"))
    assert label_map.loads(label_map.dumps(pairs)) == pairs
    assert label_map.loads(label_map.dumps(())) == ()


def test_thousands_of_labels():
    names = [f"n{i:08d}" for i in range(21_841)]
    source = names[::-7]
    found = label_map.match(names, (), source)
    assert (found.positions >= 0).sum() == len(source) == 3121
    assert [names[i] for i in range(len(names)) if found.positions[i] == 17] == [source[17]]
