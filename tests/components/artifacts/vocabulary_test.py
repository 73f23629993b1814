"""The vocabulary and labels.csv."""

import io

import pandas as pd
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from components import storage
from components.artifacts import vocabulary

# Any text but a null character and half a surrogate pair, which no CSV and no UTF-8 can hold.
TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=6)
PARENT = TEXT.filter(lambda name: name and "|" not in name)


def test_the_text():
    labels = vocabulary.make_vocabulary(
        ['an "old" cat', "dog, wet", "7"], {"dog, wet": ["pet", "mammal"], "7": ["digits"]}
    )
    assert vocabulary.dumps(labels) == (
        '"index","name","parents"\n'
        '0,"an ""old"" cat",""\n'
        '1,"dog, wet","pet|mammal"\n'
        '2,"7","digits"\n'
    )  # fmt: skip


def test_nodes_above_the_labels_follow_without_an_index():
    labels = vocabulary.make_vocabulary(["owl", "car"], {"owl": ["bird"], "bird": ["animal", "pet"], "rim": ["wheel"]})
    text = vocabulary.dumps(labels)
    assert text == '"index","name","parents"\n0,"owl","bird"\n1,"car",""\n"","bird","animal|pet"\n'
    assert vocabulary.loads(text) == labels
    assert vocabulary.loads(text).above == {"bird": ("animal", "pet")}


def test_positions_go_by_name():
    of = ("c", "a", "d", "b")
    found = vocabulary.positions(("a", "b", "c", "d"), of, "label_prior")
    assert found.tolist() == [1, 3, 0, 2]
    assert [of[position] for position in found] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("of", "message"),
    [
        (("a", "b", "x"), r"it lacks 1 \(\['c'\]\) and has 1 others \(\['x'\]\)"),
        (("a", "b"), r"it lacks 1 \(\['c'\]\) and has 0 others \(\[\]\)"),
        (("a", "d", "b", "c"), r"it lacks 0 \(\[\]\) and has 1 others \(\['d'\]\)"),
    ],
    ids=["other", "fewer", "more"],
)
def test_vocabularies_of_other_labels(of, message):
    with pytest.raises(ValueError, match=f"^label_prior: its labels are not those of the vocabulary: {message}"):
        vocabulary.positions(("b", "c", "a"), of, "label_prior")


def test_pandas_reads_it():
    text = vocabulary.dumps(vocabulary.make_vocabulary(["two\nlines", "a,b"], {"a,b": ["x"]}))
    table = pd.read_csv(io.StringIO(text), index_col="index", keep_default_na=False)
    assert table.to_dict("list") == {"name": ["two\nlines", "a,b"], "parents": ["", "x"]}


@given(st.dictionaries(TEXT, st.lists(PARENT, max_size=3), min_size=1, max_size=5))
@example({"a\rb": ["\r"], "a\nb": [], "a\r\nb": ["\n"], '"': ['"'], ",": [","], "|": [], "": ["\u2028"]})
def test_round_trip(parents):
    assume(not any(parent in parents for above in parents.values() for parent in above))  # else there may be cycles
    labels = vocabulary.make_vocabulary(list(parents), parents)
    assert labels.names == tuple(parents)
    assert labels.parents == tuple(map(tuple, parents.values()))
    assert vocabulary.loads(vocabulary.dumps(labels)) == labels


def test_round_trip_through_a_file(tmp_path):
    labels = vocabulary.make_vocabulary(["a\r\nb", "ö", "z"], {"ö": ["ünten", "x\ny"]})
    storage.write_text(str(tmp_path / "labels.csv"), vocabulary.dumps(labels))
    assert vocabulary.loads(storage.read_text(str(tmp_path / "labels.csv"))) == labels


def test_its_length_is_the_number_of_labels():
    assert len(vocabulary.make_vocabulary(["a", "b", "c"])) == 3


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        (("b", "a", "c", "a", "b"), ((),) * 5, r"names: \['a', 'b'\] occur more than once; label names must be unique"),
        ((), (), "names: a vocabulary needs at least one label"),
        (("a", "b"), ((),), "parents: 1 entries for 2 labels"),
        (("a", "b"), ((), ("x|y",)), r"parents: 'x\|y' is empty or holds '\|', which separates parents"),
        (("a",), (("x", ""),), r"parents: '' is empty or holds '\|', which separates parents"),
        (("a", "b"), (("b",), ("a",)), r"hierarchy: 'a' → 'b' → 'a' is a cycle .*"),
    ],
    ids=["duplicates", "nothing", "lengths", "separator", "empty parent", "cycle"],
)
def test_what_is_no_vocabulary(names, parents, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        vocabulary.Vocabulary(names, parents)


@pytest.mark.parametrize(
    "rows",
    ["1,a,\n2,b,\n", "0,a,\n2,b,\n", "1,a,\n0,b,\n", "x,a,\n", "0,a,\n,n,\n1,b,\n"],
    ids=["from 1", "gap", "order", "no number", "after a node"],
)
def test_indices_must_count(rows):
    with pytest.raises(ValueError, match=r"^labels\.csv: the column `index` must count 0, 1, 2, …$"):
        vocabulary.loads("index,name,parents\n" + rows)


def test_duplicates_in_a_file():
    with pytest.raises(ValueError, match=r"names: \['a'\] occur more than once"):
        vocabulary.loads("index,name,parents\n0,a,\n1,a,\n")


def test_files_without_quotes_are_read_too():
    expected = vocabulary.make_vocabulary(["a", "b c"], {"b c": ["x", "y"]})
    assert vocabulary.loads("index,name,parents\n0,a,\n1,b c,x|y\n") == expected
