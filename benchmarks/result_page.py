"""The page docs/results.md, from the rows there are."""

from collections.abc import Mapping, Sequence

from benchmarks.result_rows import Entry


def make_headline(entries: Mapping[tuple[str, int], Entry]) -> str:
    """Returns the table of the README in Markdown."""
    del entries
    return ""


def make_page(entries: Mapping[str, Mapping[tuple[str, int], Entry]], wanted: Sequence[tuple[str, str, int]]) -> str:
    """Returns the page in Markdown."""
    del entries, wanted
    return ""
