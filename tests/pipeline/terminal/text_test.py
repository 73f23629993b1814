"""Labels in tables: isolated from right to left, without control characters, as wide as a terminal shows them."""

import io

import pytest
import rich.cells
import rich.console
import rich.table

from pipeline.terminal import text


@pytest.mark.parametrize(
    "label",
    ["\u07d2", "\u0639\u064a\u0646", "\u05e9", "abc \u05d0 1"],
    ids=["nko", "arabic", "hebrew", "mixed"],
)
def test_a_script_from_right_to_left_is_isolated(label):
    assert text.isolate(label) == f"\u2068{label}\u2069"


@pytest.mark.parametrize("label", ["seven", "з", "猫", "7", "\u0667", "(!)", ""])
def test_any_other_label_is_left_alone(label):
    # Among them a digit of Arabic, which does not turn what is around it.
    assert text.isolate(label) == label


def test_control_characters_reach_no_terminal():
    assert text.isolate("\x1b[31ma\nb\t\u2028c\x00") == r"\x1b[31ma\nb\t\u2028c\x00"
    assert text.isolate("\u05e9\n") == "\u2068\u05e9\\n\u2069"


def test_the_columns_stay_in_line():
    names = ["\u07d2", "\u0639\u064a\u0646", "\u05e9", "abc", "猫", "[red]", ":smile:", "\\"]
    table = rich.table.Table("label", "n")
    for name in names:
        table.add_row(text.make_cell(name), "1")
    screen = io.StringIO()
    rich.console.Console(file=screen, width=40).print(table)
    rows = [line for line in screen.getvalue().splitlines() if line.startswith("│")]
    assert [row.split("│")[1].strip().strip("\u2068\u2069") for row in rows] == names
    # As a terminal shows it, where the isolates take no room.
    assert {rich.cells.cell_len(row.replace("\u2068", "").replace("\u2069", "")) for row in rows} == {15}
