"""Counts by label and split, and images and ids that are in several splits."""

import json

import numpy as np

from components.artifacts import data_report, findings, index


def rows(*examples: tuple[str, bytes, list[int]]):
    return index.table(
        {
            "source_id": source_id,
            "key": index.id_key(source_id),
            "labels": labels,
            "converted": image == b"2",
            "flattened": None if image == b"3" else source_id in "bd",
            "content_hash": index.content_hash(image),
        }
        for source_id, image, labels in examples
    ).select(data_report.COLUMNS)


NAMES = ("café", "Café", "cafe\u0301", " café")
ALIKE = r"'caf\xe9' and 'Caf\xe9' and 'cafe\u0301' and ' caf\xe9'"
TRAIN = [rows(("a", b"1", [0, 2]), ("b", b"2", [2])), rows(), rows(("c", b"2", [2]))]
EVAL = [rows(("a", b"3", [1]), ("d", b"2", [1]), ("e", b"1", [1]))]


def test_a_split():
    found = data_report.report_split(TRAIN, 4)
    assert found.label_counts.tolist() == [1, 0, 3, 0]
    assert found.keys.tolist() == sorted(index.id_key(source_id) for source_id in "abc")
    hashes = sorted(int(index.content_hash(image)[:16], 16) for image in (b"1", b"2", b"2"))
    assert found.contents.tolist() == hashes and found.contents.dtype == np.uint64
    assert (found.converted, found.flattened) == (2, 1)


def test_the_counts_of_labels():
    splits = {"train": data_report.report_split(TRAIN, 4), "eval": data_report.report_split(EVAL, 4)}
    text = data_report.counts_csv(splits, ("ant", "bee, tame", "cow\r", "dog"))
    assert text == ('"index","name","train","eval"\n0,"ant",1,0\n1,"bee, tame",0,3\n2,"cow\r",3,0\n3,"dog",0,0\n')


def test_the_summary():
    noticed = [findings.Finding("stray_files", 2, ("a", "b"))], np.array([3, 0, 1, 0])
    splits = {
        "train": data_report.report_split(TRAIN, 4),
        "eval": data_report.report_split(EVAL, 4),
        "test": data_report.report_split([rows(("f", b"5", [1]))], 4),
    }
    rejected = {"train": {"empty": 2}, "eval": {"duplicate_image": 3}, "test": {}}
    found = data_report.summarise(splits, rejected, NAMES, *noticed)
    assert found == {
        "examples": {"train": 3, "eval": 3, "test": 1},
        "converted": {"train": 2, "eval": 1, "test": 0},
        "rejected": rejected,
        "same_image": {"train, eval": 2, "train, test": 0, "eval, test": 0},
        "same_id": {"train, eval": 1, "train, test": 0, "eval, test": 0},
        "findings": [
            {"kind": "stray_files", "count": 2, "examples": ("a", "b"), "where": ""},
            {"kind": "same_image", "count": 2, "examples": (), "where": "train, eval"},
            {"kind": "same_id", "count": 1, "examples": (), "where": "train, eval"},
            {"kind": "repeated_image", "count": 1, "examples": (), "where": "train"},
            {"kind": "flattened", "count": 1, "examples": (), "where": "train"},
            {"kind": "flattened", "count": 1, "examples": (), "where": "eval"},
            {"kind": "without_train", "count": 1, "examples": ("Café",), "where": "eval, test"},
            {"kind": "without_train", "count": 1, "examples": (" café",), "where": ""},
            {"kind": "single_image", "count": 1, "examples": ("cafe\u0301",), "where": ""},
            {"kind": "alike", "count": 1, "examples": (ALIKE,), "where": ""},
            {"kind": "set_aside", "count": 2, "examples": ("empty 2",), "where": ""},
            {"kind": "set_aside_copies", "count": 3, "examples": ("duplicate_image 3",), "where": ""},
        ],
    }
    read = json.loads(data_report.dumps(found))
    assert findings.load(read["findings"]) == findings.load(found["findings"])
    assert [each.is_warning for each in findings.load(read["findings"])[-2:]] == [True, False]


def test_what_is_rejected_of_all_splits():
    found = {"rejected": {"train": {"empty": 3, "truncated": 2}, "eval": {"truncated": 2}, "test": {}}}
    assert list(data_report.count_rejected(found).items()) == [("truncated", 4), ("empty", 3)]
