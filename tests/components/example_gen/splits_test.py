"""Splits by name, by share, and by slices of the content hashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts import index
from components.example_gen import splits
from components.example_gen.splits import Rule


def test_names_shares_and_slices():
    assert splits.parse_rules({"train": "a", "eval": "b[:25%]", "test": "b[25%:]"}) == {
        "train": Rule("a"),
        "eval": Rule("b", 0, 0.25),
        "test": Rule("b", 0.25, 1),
    }
    assert splits.parse_rules({"train": "a[10%:30%]"}) == {"train": Rule("a", 0.1, 0.3)}
    assert splits.parse_rules({"train": "a[:99.5%]"}) == {"train": Rule("a", 0, 0.995)}
    assert splits.parse_rules({"train": 0.5, "eval": 0.3, "test": 0.2}) == {
        "train": Rule(None, 0, 0.5),
        "eval": Rule(None, 0.5, 0.8),
        "test": Rule(None, 0.8, 1.0),
    }


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"train": 0.8, "eval": 0.1},
            r"splits: .* are shares with a sum of 0\.9; each has to be above 0, and the sum 1",
        ),
        ({"train": 1.2, "eval": -0.2}, r"are shares with a sum of 1"),
        ({"train": 0.8, "eval": "b"}, r"mixes shares with names"),
        ({"train": "a[90%:10%]"}, r"splits\.train: 'a\[90%:10%\]' is no slice; write NAME\[a%:b%\] with a < b"),
        ({"eval": "a[:101%]"}, r"splits\.eval: 'a\[:101%\]' is no slice"),
        ({"eval": "a[:90]"}, r"splits\.eval: 'a\[:90\]' is no slice; write NAME\[a%:b%\]"),
        ({"eval": "a[:-10%]"}, r"splits\.eval: 'a\[:-10%\]' is no slice"),
        ({"eval": "a[:50%]+b"}, r"splits\.eval: 'a\[:50%\]\+b' is no slice"),
    ],
    ids=["too little", "negative", "mixed", "backwards", "too much", "a number", "from the end", "a sum"],
)
def test_what_is_refused(found, message):
    with pytest.raises(ValueError, match=message):
        splits.parse_rules(found)


def test_a_pattern_with_and_without_a_place_for_the_split():
    assert splits.own_splits("uris", "a-{split}.txt", {"train": "x[:50%]", "eval": "x[50%:]", "test": "y"}) == [
        "x",
        "y",
    ]
    assert splits.own_splits("uris", "a.txt", {"train": 0.5, "eval": 0.5}) == [None]
    with pytest.raises(ValueError, match=r"^uris: 'a\.txt' with splits .*; names of splits need \{split\} in the path"):
        splits.own_splits("uris", "a.txt", {"train": "x", "eval": "y"})
    with pytest.raises(ValueError, match=r"^uris: 'a-\{split\}\.txt' with splits"):
        splits.own_splits("uris", "a-{split}.txt", {"train": 0.5, "eval": 0.5})


@given(st.binary())
def test_of_shares_exactly_one_takes_an_image(image):
    rules = splits.parse_rules({"train": 0.7, "eval": 0.2, "test": 0.1})
    content_hash = index.content_hash(image)
    (taken,) = splits.matching_splits(rules, None, content_hash)
    part = int(content_hash, 16) / 16**32
    assert taken == ("train" if part < 0.7 else "eval" if part < 0.9 else "test")
    assert splits.matching_splits(rules, "train", content_hash) == []


def test_the_ends_of_a_slice():
    rule = Rule("a", 0.25, 0.5)
    hashes = ["3" + "f" * 31, "4" + "0" * 31, "7" + "f" * 31, "8" + "0" * 31]
    assert [rule.takes(content_hash) for content_hash in hashes] == [False, True, True, False]
    assert Rule("a").takes("f" * 32) and Rule("a").takes("0" * 32)


def test_shares_are_kept():
    rules = splits.parse_rules({"train": 0.8, "eval": 0.2})
    taken = [splits.matching_splits(rules, None, index.content_hash(bytes([i % 256, i // 256]))) for i in range(5000)]
    assert taken.count(["train"]) == pytest.approx(4000, abs=100)
