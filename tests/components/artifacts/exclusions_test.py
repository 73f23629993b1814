import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from components.artifacts import exclusions, index


def pairs(*rows: tuple) -> pa.Table:
    names = ["source_id", "target_id", "reason", "distance", "similarity", "flipped"]
    fixed = {"source_split": "train", "target": "pets", "target_split": "test"}
    return pa.Table.from_pylist([{**fixed, **dict(zip(names, row, strict=True))} for row in rows], exclusions.SCHEMA)


PAIRS = pairs(
    ("a", "t1", "identical", 0, None, False),
    ("a", "t2", "perceptual_hash", 2, None, False),
    ("b", "t1", "perceptual_hash", 4, None, True),
    ("c", "t3", "embedding", None, 0.9876, False),
    ("d", "t3", "perceptual_hash", 4, None, False),
)


def test_who_is_excluded():
    assert exclusions.excluded_ids(PAIRS).to_pylist() == ["a", "b", "c", "d"]
    keys = exclusions.excluded_keys(PAIRS)
    assert keys.tolist() == [index.id_key(source_id) for source_id in "abcd"]
    column = pa.chunked_array([[index.id_key("x"), index.id_key("b")], [index.id_key("y")]], pa.uint64())
    assert exclusions.mask_kept(column, keys).tolist() == [True, False, True]
    table = pa.table({"source_id": ["x", "d", "a", "y"], "n": [1, 2, 3, 4]})
    assert exclusions.drop_excluded(table, PAIRS)["n"].to_pylist() == [1, 4]


def test_nobody_is_excluded():
    none = exclusions.SCHEMA.empty_table()
    keys = exclusions.excluded_keys(none)
    assert (keys.dtype, len(keys)) == (np.uint64, 0)
    assert exclusions.mask_kept(pa.chunked_array([[1, 2]], pa.uint64()), keys).tolist() == [True, True]
    assert len(exclusions.drop_excluded(pa.table({"source_id": ["x"]}), none)) == 1
    assert exclusions.describe_matches(none, "x") == []


def test_in_words():
    assert exclusions.describe_matches(PAIRS, "a") == [
        "the same bytes as t1 of pets (test)",
        "perceptual hash 2 bits from t2 of pets (test)",
    ]
    assert exclusions.describe_matches(PAIRS, "b") == [
        "perceptual hash 4 bits from the mirror image of t1 of pets (test)"
    ]
    assert exclusions.describe_matches(PAIRS, "c") == ["embedding of cosine 0.988 with t3 of pets (test)"]


def test_a_summary_counts_an_image_once():
    hashes = pa.table({"perceptual_hash": pa.array([1, None, 3, 4, 5], pa.uint64())})
    found = exclusions.counts(PAIRS, hashes)
    empty = exclusions.counts(exclusions.SCHEMA.empty_table(), hashes.slice(0, 2))
    assert isinstance(found, Counter)
    text = exclusions.summary(
        {"distance": 4}, {"pets": {"images": 9}}, [("train", found), ("eval", empty), ("train", empty)]
    )
    assert json.loads(text) == {
        "settings": {"distance": 4},
        "targets": {"pets": {"images": 9}},
        "source": {
            "eval": {"images": 2, "without_hash": 1, "excluded": 0, "flipped": 0, "reasons": {}, "distances": {}},
            "train": {
                "images": 7,
                "without_hash": 2,
                "excluded": 4,
                "flipped": 1,
                "reasons": {"embedding": 1, "identical": 1, "perceptual_hash": 2},
                "distances": {"4": 2},
            },
        },
    }


@pytest.mark.parametrize("reason", exclusions.REASONS)
def test_each_reason_has_words(reason):
    row = ("a", "t", reason, 1, 0.5, False)
    assert len(exclusions.describe_matches(pairs(row), "a")) == 1


def test_the_content_is_who_is_excluded():
    none = exclusions.SCHEMA.empty_table()
    content = exclusions.content_hash("/index/1", [PAIRS, none])
    assert content == exclusions.content_hash("/index/1", [PAIRS.take([4, 3, 2, 0]), none])
    others = [
        ("/index/2", [PAIRS, none]),
        ("/index/1", [none, PAIRS]),
        ("/index/1", [PAIRS.slice(0, 4), none]),
        ("/index/1", []),
    ]
    assert len({content, *(exclusions.content_hash(*other) for other in others)}) == 5


def test_a_split_that_lost_all_of_its_images():
    exclusions.check_left({"train": {"images": 3, "excluded": 2}, "test": {"images": 0, "excluded": 0}})
    with pytest.raises(
        ValueError, match=r"^near_duplicates: all 1,200 images of the source's eval are near-duplicates"
    ):
        exclusions.check_left({"train": {"images": 3, "excluded": 2}, "eval": {"images": 1200, "excluded": 1200}})
