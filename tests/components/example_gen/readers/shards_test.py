"""Files whose names say how many there are: which are missing, and which are of another generation."""

import pytest

from components.example_gen.readers import shards


def names(form: str, numbers, count: int) -> list[str]:
    return [form.format(number, count) for number in numbers]


@pytest.mark.parametrize(
    "paths",
    [
        names("a/train-{:05}-of-{:05}", range(3), 3),
        names("a/train-{:05}-of-{:05}", (1, 2, 3), 3),
        names("train-{}-of-{}", range(12), 12),
        names("{:05}-of-{:05}.tfrecord", range(2), 2),
        ["a/train2024-of-10"],
        ["a/train", "b-1-of-2/train"],
    ],
    ids=["from 0", "from 1", "without zeros", "without a stem", "a year", "without numbers"],
)
def test_all_are_there(paths):
    shards.check_complete("tfrecords", "*", paths)


@pytest.mark.parametrize(
    ("paths", "missing"),
    [
        (names("a/train-{:05}-of-{:05}", (0, 2), 3), "a/train-00001-of-00003"),
        (names("a/train-{:05}-of-{:05}", (1, 3), 3), "a/train-00002-of-00003"),
        (names("a/train-{:05}-of-{:05}", (1, 2), 3), "a/train-00000-of-00003"),
        (names("a/train_{:05}-of-{:05}.gz", (0, 2), 3), "a/train_00001-of-00003.gz"),
        (names("a/{:05}-of-{:05}.tfrecord", (1, 0), 3), "a/00002-of-00003.tfrecord"),
        (names("train.{:05}-of-{:05}", (1, 0), 3), "train.00002-of-00003"),
        (names("train-{}-of-{}", (*range(7), *range(8, 12)), 12), "train-7-of-12"),
    ],
    ids=["from 0", "from 1", "the first", "underline", "without a stem", "dot", "without zeros"],
)
def test_one_is_missing(paths, missing):
    with pytest.raises(ValueError) as caught:
        shards.check_complete("tfrecords", "*", paths)
    assert str(caught.value).startswith(f"tfrecords: {missing} is not there")


def test_generations():
    three, two = names("train-{:05}-of-{:05}", range(3), 3), names("train-{:05}-of-{:05}", range(2), 2)
    others = [*names("val-{:05}-of-{:05}", range(2), 2), *names("train-{:05}-of-{:05}.gz", range(4), 4), "train"]
    assert shards.find_generations([*three, *others]) == []
    assert shards.find_generations([*three, *others, *two]) == ["train-*-of-00002", "train-*-of-00003"]
