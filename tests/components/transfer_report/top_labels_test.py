from components.transfer_report import block, top_labels


def test_top_labels_are_those_with_the_largest_share_of_the_target():
    labels = block.Labels(
        names=["a", "b", "c", "d"],
        paths=[()] * 4,
        counts=[8, 1, 0, 7],
        source_share=[0.5, 0.0625, 0.0, 0.4375],
        target_share=[0.25, 0.5, 0.2, 0.05],
        weights=[0.625, 10.0, 0.0, 0.1],
    )
    found = top_labels.find_top_labels(labels)
    assert [(label.index, label.name, label.share) for label in found] == [
        (1, "b", "50.0%"),
        (0, "a", "25.0%"),
        (2, "c", "20.0%"),
    ]
    assert "6.2%" in found[0].reason and "10×" in found[0].reason
    assert "×" not in found[2].reason  # it has no image
