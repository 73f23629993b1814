"""What is suspicious in a data set, and the line that tells it."""

import dataclasses
import json

import pytest

from components.artifacts import findings
from components.artifacts.findings import Finding


def test_names_are_counted_and_the_first_are_shown():
    assert findings.list_names("stray_files", ["b", "a"]) == [Finding("stray_files", 2, ("b", "a"))]
    (found,) = findings.list_names("stray_files", map(str, range(7)), "train")
    assert found == Finding("stray_files", 7, ("0", "1", "2", "3", "4", "…"), "train")
    assert findings.list_names("stray_files", []) == []


def test_of_counts_the_largest_are_shown_first():
    counts = {"empty": 2, "b": 1_200, "a": 2, "none": 0}
    assert findings.list_counts("set_aside", counts) == [Finding("set_aside", 1_204, ("b 1,200", "a 2", "empty 2"))]
    assert findings.list_counts("set_aside", {"none": 0}) == []


@pytest.mark.parametrize("kind", findings.KINDS)
def test_a_line_has_the_count_the_examples_and_the_splits(kind):
    line = findings.describe(Finding(kind, 1_234, ("b", "a"), "eval, test"), str.upper)
    words, advice, _ = findings.KINDS[kind]
    assert line == f"eval, test: {words}: 1,234 (B, A)" + (f"; {advice}" if advice else "")
    assert findings.describe(Finding(kind, 1)) == f"{words}: 1" + (f"; {advice}" if advice else "")


def test_findings_are_the_same_after_json():
    found = [Finding("alike", 1, ("a and A",)), Finding("same_id", 3, where="train, eval")]
    assert findings.load(json.loads(json.dumps([dataclasses.asdict(each) for each in found]))) == found
