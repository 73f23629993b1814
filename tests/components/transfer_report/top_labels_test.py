import dataclasses

import pytest

from components.transfer_report import block, label_names, top_labels

LABELS = block.Labels(
    names=["a", "b", "c", "d"],
    paths=[()] * 4,
    counts=[8, 1, 0, 7],
    source_share=[0.5, 0.0625, 0.0, 0.4375],
    target_share=[0.25, 0.5, 0.2, 0.05],
    weights=[0.625, 10.0, 0.0, 0.1],
)


def test_top_labels_are_those_with_the_largest_share_of_the_target():
    found = top_labels.find_top_labels(LABELS)
    assert [(label.index, label.share) for label in found] == [(1, "50.0%"), (0, "25.0%"), (2, "20.0%")]
    assert "6.2%" in found[0].reason and "10 times" in found[0].reason
    assert "times" not in found[2].reason  # it has no image
    assert [(label.seen, label.flagged) for label in found] == [("", False)] * 3


def test_a_top_label_says_where_it_is_seen():
    seen = [block.ClassShare("dog", 0.75), block.ClassShare("cat", 0.125), block.ClassShare("owl", 0.0)]
    labels = dataclasses.replace(LABELS, seen_in={1: seen, 0: seen[2:]}, looked_at=9)
    first, second, third = top_labels.find_top_labels(labels)
    assert all(text in first.seen for text in ("dog", "75.0%", "cat", "12.5%")) and "owl" not in first.seen
    assert (second.seen, third.seen) == ("", "")  # of no image, and not known


@pytest.mark.parametrize(("flagged", "expected"), [((), []), ([True, False, True, False], [0, 2]), ([False] * 4, [])])
def test_flagged_labels_are_in_the_order_of_their_shares(flagged, expected):
    labels = dataclasses.replace(LABELS, flagged=flagged)
    assert top_labels.list_flagged(labels) == expected
    assert [label.index for label in top_labels.find_top_labels(labels) if label.flagged] == expected


def test_the_interval_of_a_top_label():
    labels = dataclasses.replace(LABELS, low=[0.2, 0.4, 0.1, 0.0], high=[0.3, 0.6, 0.25, 0.19])
    assert [label.bounds for label in top_labels.find_top_labels(labels)] == [
        "40.0% to 60.0%",
        "20.0% to 30.0%",
        "10.0% to 25.0%",
    ]
    assert [label.bounds for label in top_labels.find_top_labels(LABELS)] == ["", "", ""]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([0.24, 0.4, 0.19, 0.04], [0.3, 0.6, 0.21, 0.06], True),
        ([0.24, 0.29, 0.19, 0.04], [0.3, 0.6, 0.21, 0.06], False),  # the first could be second
        ([0.24, 0.4, 0.05, 0.04], [0.3, 0.6, 0.21, 0.06], False),  # the fourth could be third
        ((), (), True),
    ],
)
def test_the_order_is_certain_if_no_intervals_overlap(low, high, expected):
    assert top_labels.is_order_certain(dataclasses.replace(LABELS, low=low, high=high)) is expected


def test_the_groups_that_become_most_frequent():
    labels = block.Labels(
        names=["a", "b", "c", "d", "e"],
        paths=[("one",), ("two",), ("two",), ("three",), ("four",)],
        counts=[4, 2, 1, 1, 0],
        source_share=[0.5, 0.25, 0.125, 0.125, 0.0],
        target_share=[0.125, 0.5, 0.0625, 0.25, 0.0625],
        weights=[0.25, 2.0, 0.8, 2.0, 0.0],
    )
    named = label_names.name_labels(labels.names, labels.paths)
    found = top_labels.find_top_groups(labels, named)
    # Not 'one', which becomes rarer, nor 'four', which has no image in the source.
    assert found == [top_labels.TopGroup("three", 0.25, 2.0), top_labels.TopGroup("two", 0.5625, 1.5)]
    assert top_labels.find_top_groups(LABELS, label_names.name_labels(LABELS.names, LABELS.paths)) == []
