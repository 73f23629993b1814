import dataclasses

import pytest

from components.transfer_report import block, top_labels

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
