"""Tables of texts."""

import io
import math

import pytest
import rich.console

from pipeline.compare import layout
from pipeline.compare.layout import Table

TABLE = Table("a | title", ("arm", "value", "note"), (("x|y", "1.0", "[red]\n"), ("z", "20.0", "")), ("note",))


def test_markdown_has_texts_at_the_start_and_numbers_at_the_end():
    assert TABLE.to_markdown() == (
        "**a \\| title**\n\n| arm | value | note |\n| --- | ---: | --- |\n"
        "| x\\|y | 1.0 | [red]\\\\n |\n| z | 20.0 |  |\n"
    )


def test_a_terminal_shows_texts_literally():
    text = io.StringIO()
    rich.console.Console(file=text, width=60).print(TABLE.to_rich())
    lines = [line.split() for line in text.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["a", "|", "title"]
    assert lines[1] == ["arm", "value", "note"]
    assert lines[3:] == [["x|y", "1.0", "[red]\\n"], ["z", "20.0"]]


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"rows: \('a',\) has 1 texts for the 2 columns"):
        Table("title", ("one", "two"), (("a",),))


def test_csv_leaves_empty_what_is_not_known():
    rows = [{"arm": "a,b", "low": math.nan, "n": 3}, {"arm": "c", "low": 0.1 + 0.2, "more": 1}]
    assert layout.to_csv(["arm", "low", "n"], rows) == ('"arm","low","n"\n"a,b","",3\n"c",0.30000000000000004,""\n')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (layout.percent(0.9584), "95.8"),
        (layout.points(0.0149), "+1.5"),
        (layout.points(-0.0004), "+0.0"),
        (layout.points(-0.0251), "-2.5"),
        (layout.show_value(0.958, 0.0091), "95.8 ± 0.9"),
        (layout.show_value(0.958, math.nan), "95.8"),
        (layout.count(230_400.0), "230,400"),
        (layout.describe_margin(0.01), "1 point"),
        (layout.describe_margin(0.005), "0.5 points"),
    ],
)
def test_numbers_are_texts(text, expected):
    assert text == expected
