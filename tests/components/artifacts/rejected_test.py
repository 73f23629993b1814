"""The table of what was rejected, and when it is too much."""

import pytest

from components.artifacts import rejected
from components.artifacts.rejected import Rejection


def rows(*pairs: tuple[str, str]) -> list[dict]:
    return [Rejection(source_id, None, reason, f"about {source_id}").row("eval") for source_id, reason in pairs]


def test_rows():
    row = Rejection("a", "gs://b/a.jpg", "truncated", "x" * 1000).row("train")
    assert row == {
        "source_id": "a",
        "uri": "gs://b/a.jpg",
        "split": "train",
        "reason": "truncated",
        "detail": "x" * 300,
    }
    assert rejected.table([row]).to_pylist() == [row]
    assert rejected.table([]).schema.equals(rejected.SCHEMA)


def test_counts_are_by_reason_the_most_frequent_first():
    tables = [rejected.table(rows(("a", "empty"), ("b", "truncated"))), rejected.table(rows(("c", "truncated")))]
    assert list(rejected.count_reasons(tables).items()) == [("truncated", 2), ("empty", 1)]


@pytest.mark.parametrize(
    ("kept", "max_rejected", "stops"), [(297, 0.01, False), (296, 0.01, True), (0, 1.0, False), (10**9, 0.0, True)]
)
def test_the_share_is_of_all_images(kept, max_rejected, stops):
    tables = [rejected.table(rows(("a", "empty"), ("b", "empty"), ("c", "damaged")))]
    if not stops:
        rejected.check_share(rejected.count_reasons(tables), kept, max_rejected, tables)
        return
    with pytest.raises(ValueError) as error:
        rejected.check_share(rejected.count_reasons(tables), kept, max_rejected, tables)
    assert str(error.value) == (
        f"max_rejected: 3 of {kept + 3} images cannot be taken, more than the share {max_rejected:g} that is allowed: "
        "2 empty (a: about a, b); 1 damaged (c: about c); repair or remove them, or raise max_rejected"
    )


def test_three_examples_of_a_reason_are_enough():
    tables = [rejected.table(rows(*((f"i{i}", "empty") for i in range(k, k + 2)))) for k in (0, 2, 4)]
    with pytest.raises(ValueError, match=r": 6 empty \(i0: about i0, i1, i2\); repair"):
        rejected.check_share(rejected.count_reasons(tables), 0, 0.5, tables)


def test_nothing_rejected_is_never_too_much():
    rejected.check_share({}, 0, 0.0)
