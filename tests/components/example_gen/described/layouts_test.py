"""Splits and labels from which nothing can be learned, or by which nothing can be judged; in every form of data."""

import pytest

COLUMNS = ["dataset", "csv", "tsv", "parquet", "tfrecords", "indexer"]
KINDS = pytest.mark.parametrize("kind", ["folder", *COLUMNS, "uris"])


@KINDS
def test_labels_that_are_told(describe, kind):
    rows = [("train", 0, "Ant"), ("train", 1, "bee"), ("train", 2, "ant"), ("train", -1, "bee"), ("train", 5, "ant")]
    found = describe(kind, [*rows, ("val", 3, "ant"), ("val", 4, "cow")], ingest=True)
    assert found.names == ("Ant", "ant", "bee", "cow")
    assert found.findings == [("alike_case", "", 1), ("single_image", "", 2), ("without_train", "eval", 1)]
    assert found.rejected == ["not_an_image"]


@KINDS
def test_splits_whose_labels_do_not_meet(describe, kind):
    rows = [("train", 0, "ant"), ("train", 1, "bee"), ("val", 2, "cow"), ("val", 3, "Bee")]
    message = r"^splits\.eval: none of its labels \('Bee', 'cow'\) is in train, which has 'ant', 'bee'; they differ"
    with pytest.raises(ValueError, match=message):
        describe(kind, rows, ingest=True)


@KINDS
@pytest.mark.parametrize(
    ("eval_label", "message"),
    [
        ("ant", r"^labels: the data have 'ant' and no other; a classifier needs two labels"),
        ("bee", r"^splits\.train: of the 2 labels only 'ant' has images in it; a classifier needs two"),
    ],
    ids=["in all", "in train"],
)
def test_a_single_label(describe, kind, eval_label, message):
    with pytest.raises(ValueError, match=message):
        describe(kind, [("train", 0, "ant"), ("train", 1, "ant"), ("val", 2, eval_label)], ingest=True)


@KINDS
def test_a_split_that_rejections_leave_empty(describe, kind):
    rows = [("train", 0, "ant"), ("train", 1, "bee"), ("val", -1, "ant"), ("val", -2, "bee")]
    message = r"^splits\.eval: all of its 2 images were set aside \(not_an_image 2\); repair them"
    with pytest.raises(ValueError, match=message):
        describe(kind, rows, ingest=True)


@KINDS
def test_labels_that_rejections_leave_without_images(describe, kind):
    rows = [("train", 0, "ant"), ("train", -1, "bee"), ("val", 2, "ant"), ("val", 3, "bee")]
    with pytest.raises(ValueError, match=r"^splits\.train: of the 2 labels only 'ant' has images in it"):
        describe(kind, rows, ingest=True)
