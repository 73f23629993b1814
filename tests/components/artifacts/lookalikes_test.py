"""Labels that look the same, and by what they differ."""

import hypothesis
import pytest
from hypothesis import strategies

from components.artifacts import lookalikes
from components.artifacts.findings import Finding


@pytest.mark.parametrize(
    ("names", "kind", "shown"),
    [
        (("Apple", "pear", "apple"), "alike_case", "'Apple' and 'apple'"),
        (("a b", "a  b", " a\u00a0b"), "alike_spaces", "'a b' and 'a  b' and ' a\\xa0b'"),
        (("soup", "so\u00adup"), "alike_unseen", "'soup' and 'so\\xadup'"),
        (("soup", "so\u200bup", "soup\ufeff"), "alike_unseen", "'soup' and 'so\\u200bup' and 'soup\\ufeff'"),
        (("caf\u00e9", "cafe\u0301"), "alike_composed", "'caf\\xe9' and 'cafe\\u0301'"),
        (("\u00c5", "A\u030a"), "alike_composed", "'\\xc5' and 'A\\u030a'"),
        (("\ufb01sh", "fish"), "alike_composed", "'\ufb01sh' and 'fish'"),
        (("BIG cat", "big  cat"), "alike", "'BIG cat' and 'big  cat'"),
    ],
    ids=["case", "spaces", "soft hyphen", "zero width", "composition", "one character", "ligature", "both"],
)
def test_one_label_in_two_spellings(names, kind, shown):
    assert lookalikes.find_lookalikes(names) == [Finding(kind, 1, (shown,))]


@pytest.mark.parametrize(
    "names",
    [("a", "A"), ("2", "\u00b2"), ("ab", "ba"), ("\u017f", "s"), ("stra\u00dfe", "strasse"), ("a1", "a_1")],
    ids=["letters", "digits", "order", "long s", "sharp s", "other characters"],
)
def test_labels_that_are_others(names):
    assert lookalikes.find_lookalikes(names) == []


def test_groups_are_counted_by_kind():
    found = lookalikes.find_lookalikes(["aa", "bb", "AA", "Bb", "bB", "cc", "c c", "c  c"])
    assert found == [
        Finding("alike_case", 2, ("'aa' and 'AA'", "'bb' and 'Bb' and 'bB'")),
        Finding("alike_spaces", 1, ("'c c' and 'c  c'",)),
    ]


@hypothesis.given(strategies.text(min_size=2, max_size=6), strategies.sampled_from([str.upper, str.lower]))
def test_a_name_and_itself_in_another_case_are_alike_if_lower_case_says_so(name, change):
    other = change(name)
    hypothesis.assume(other != name and other.lower() == name.lower() and len(name) == len(other) > 1)
    hypothesis.assume(len(lookalikes.unicodedata.normalize("NFC", name)) > 1)
    assert sum(found.count for found in lookalikes.find_lookalikes([name, other])) == 1
