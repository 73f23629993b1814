"""The figures of README and docs/results.md are those of the rows that are checked in."""

import pathlib

from benchmarks import result_page, result_rows

ROOT = pathlib.Path(__file__).parents[2]
ROWS = ROOT / "benchmarks" / "results"


def test_the_table_of_the_readme():
    assert result_page.make_headline(result_rows.read("glyphs", ROWS)).strip() in (ROOT / "README.md").read_text(
        "utf-8"
    )
