import re

import pytest

from components.artifacts import label_counts


def test_a_file_in_its_order():
    text = 'label,count\ncrow,3\n\n"owl, barn",0\nwren, 12 \n'
    assert list(label_counts.loads(text).items()) == [("crow", 3), ("owl, barn", 0), ("wren", 12)]


def test_columns_in_the_other_order_and_lines_of_another_system():
    assert label_counts.loads("count,label\r\n3,crow\r\n") == {"crow": 3}


def test_what_is_written_is_read():
    counts = {"crow": 3, 'the "owl"': 0, "a,b": 2**40, "two\nlines": 1, "é": 5}
    assert list(label_counts.loads(label_counts.dumps(counts)).items()) == list(counts.items())


def test_counts_that_are_the_same():
    assert label_counts.count_alike(["wren", "crow"]) == {"wren": 1, "crow": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "counts: line 1 is ''; it has to be the header 'label,count'"),
        ("label,count,split\na,1,train\n", "counts: line 1 is 'label,count,split'"),
        ("label,label\na,1\n", "counts: line 1 is 'label,label'"),
        ("crow,3\n", "counts: line 1 is 'crow,3'"),
        ("label,count\ncrow,3\nowl\n", "counts: line 3 has 1 values ('owl')"),
        ("label,count\ncrow,1,300\n", "counts: line 2 has 3 values ('crow,1,300')"),
        ("label,count\ncrow,3\n,4\n", "counts: line 3 has no label (',4')"),
        ("label,count\ncrow,3\nowl,1\ncrow,4\n", "counts: line 4 has 'crow', which line 2 has, too"),
        ("label,count\ncrow,-3\n", "counts: line 2: the count of 'crow' is '-3'"),
        ("label,count\ncrow,3.0\n", "counts: line 2: the count of 'crow' is '3.0'"),
        ("label,count\ncrow,\n", "counts: line 2: the count of 'crow' is ''"),
        (f"label,count\ncrow,{2**63}\n", "counts: line 2: the count of 'crow' is '9223372036854775808'"),
        (f"label,count\ncrow,{2**62}\nowl,{2**62}\n", "counts: 2 labels have 9223372036854775808 images in all"),
        ("label,count\n", "counts: 0 labels have 0 images in all"),
        ("label,count\ncrow,0\nowl,0\n", "counts: 2 labels have 0 images in all"),
        (f"label,count\n{'x' * 200_000},1\n", "counts: line 2 is no CSV: field larger than field limit"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text, message):
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}"):
        label_counts.loads(text, "counts")
