import pytest

from components.transfer_report import words


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.958, "95.8%"),
        (1.0, "100.0%"),
        (0.0, "0.0%"),
        (0.00951, "1.0%"),
        (0.0094, "0.94%"),
        (0.0004, "0.040%"),
        (1e-6, "<0.001%"),
        (None, "–"),
    ],
)
def test_percent(share, expected):
    assert words.percent(share) == expected


def test_numbers():
    assert words.points(0.0154) == "+1.5" and words.points(-0.004) == "−0.4" and words.points(None) == "–"
    assert words.interval(0.006, 0.024) == "+0.6 to +2.4" and words.interval(None, 0.5) == "–"
    assert words.interval(-0.0003, 0.0204) == "−0.03 to +2.04" and words.interval(0.0, 0.02) == "0.0 to +2.0"
    assert words.points(-0.0001) == "0.0"
    assert [words.factor(w) for w in (0.0, 0.03, 1.25, 9.96, 1234.5, None)] == [
        "0.0×",
        "<0.1×",
        "1.2×",
        "10×",
        "1,234×",
        "–",
    ]
    assert [words.duration(s) for s in (0.0, 0.001, 0.25, 59.4, 61.5, 120, 3_600, 7_323, None)] == [
        "0 s",
        "<0.1 s",
        "0.2 s",
        "59 s",
        "1 min 2 s",
        "2 min",
        "1 h",
        "2 h 2 min",
        "–",
    ]
    assert words.count(12345.6) == "12,346" and words.count(None) == "–"
    assert words.plural(1, "seed") == "1 seed" and words.plural(1_297, "image") == "1,297 images"


def test_estimates_are_rough():
    found = [words.roughly(seconds) for seconds in (2, 44, 1_798.15, 5_400, 36_000, 7_200_000)]
    assert found == ["10 s", "40 s", "30 min", "1.5 h", "10 h", "2,000 h"]


def test_names_do_not_turn_their_line():
    assert words.isolate("abc") == "abc"
    assert words.isolate("\u05d0b") == "\u2068\u05d0b\u2069"
    assert words.isolate("\u0661") == "\u2068\u0661\u2069"  # a digit of Arabic
    assert words.isolate("\u202eabc") == "\u2068\u202eabc\u2069"  # which turns all that follows


def test_times_and_passes_and_lists():
    assert words.moment("2026-11-28T02:40:26Z") == "28 November 2026, 02:40 UTC"
    assert words.moment("2026-01-01T01:30:00+02:00") == "31 December 2025, 23:30 UTC"
    assert words.moment("some day") == "some day"
    assert words.passes(38_400, 10_000) == "3.8 passes" and words.passes(38_400, 76_419) == "0.5 passes"
    assert words.passes(100, 100) == "1 pass" and words.passes(123_400, 100) == "1,234 passes"
    assert words.passes(None, 5) == words.passes(5, None) == words.passes(5, 0) == "–"
    assert [words.join(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
