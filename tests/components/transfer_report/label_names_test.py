"""Labels are told apart by what a reader sees."""

import pytest

from components.transfer_report import label_names


def _name(*names: str, paths: list[tuple[str, ...]] | None = None) -> list[label_names.LabelName]:
    return label_names.name_labels(names, paths or [()] * len(names))


def test_two_labels_that_look_the_same():
    ze, three, seal = _name("З", "3", "seal", paths=[("symbol", "cyrillic"), ("symbol", "digits"), ("animal",)])
    assert (ze.group, ze.code, ze.unicode) == ("cyrillic", "U+0417", "CYRILLIC CAPITAL LETTER ZE")
    assert (three.group, three.code) == ("digits", "")
    assert (ze.text, three.text) == ("З (cyrillic U+0417)", "3 (digits)")
    assert (seal.group, seal.needed, seal.text) == ("animal", "", "seal")  # its name tells enough


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (["l", "I", "x"], ["U+006C", "U+0049", ""]),  # plain letters that look the same in many fonts
        (["0", "O", "o"], ["U+0030", "U+004F", "U+006F"]),
        (["Z", "Ζ"], ["", "U+0396"]),  # of Greek: NFKC does not know that it looks like the other
        (["é", "e\u0301"], ["U+00E9", "U+0065 U+0301"]),  # equal once they are composed
        (["seal", "SEAL"], ["", ""]),  # only plain letters, whose case is seen
        (["se\u200dal", "seal"], ["U+200D", ""]),  # a character that is not seen
        (["m²", "m2", "other"], ["U+00B2", "", ""]),
        (["golden retriever", "cat", "kéfir"], ["", "", ""]),
    ],
    ids=["letters", "circles", "greek", "accent", "case", "unseen", "superscript", "words"],
)
def test_a_code_stands_only_where_it_is_needed(names, codes):
    assert [found.code for found in _name(*names)] == codes


def test_a_group_that_all_share_is_no_group():
    assert [found.group for found in _name("cat", "dog", paths=[("animal",)] * 2)] == ["", ""]
    assert [found.group for found in _name("cat", "dog", paths=[("animal", "feline"), ("animal",)])] == [
        "feline",
        "animal",
    ]


def test_the_codes_of_a_long_name_are_few():
    (first, _) = _name("ＡＢＣＤＥ", "abcde")
    assert first.code == "U+FF21 U+FF22 U+FF23 …" and first.unicode.endswith(" …")


def test_groups_are_the_levels_that_tell_labels_apart():
    assert label_names.group_levels([(), ()]) == [("", ""), ("", "")]
    assert label_names.group_levels([("a",), ("b",), ()]) == [("a", "a"), ("b", "b"), ("", "")]
    deep = [
        ("entity", "animal", "dog"),
        ("entity", "animal", "cat"),
        ("entity", "tool"),
        ("entity", "animal", "x", "y"),
    ]
    assert label_names.group_levels(deep) == [("animal", "dog"), ("animal", "cat"), ("tool", "tool"), ("animal", "y")]
    assert label_names.group_levels([("entity", "one")] * 3) == [("one", "one")] * 3
    assert label_names.group_levels([("entity",), ("entity", "one")]) == [("entity", "entity"), ("entity", "one")]


def test_a_name_of_which_nothing_is_seen_has_a_word_for_it():
    assert [found.text for found in _name("", "  ", "\u200b", "cat")] == [
        "(blank)",
        "(blank)",
        "(blank) (U+200B)",
        "cat",
    ]
