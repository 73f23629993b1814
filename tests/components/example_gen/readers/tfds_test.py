"""Reading TFDS data sets that are prepared here, and saying what is wrong with those that cannot be read."""

import os
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from components.artifacts import index
from components.example_gen import readers
from components.example_gen.readers import reader
from components.example_gen.readers import tfds as tfds_reader
from components.example_gen.readers.reader import LabelledImage
from components.example_gen.readers.tfds import TfdsReader

IMAGE = tfds.features.Image(shape=(None, None, 3))
SPLITS = {"train": "train", "eval": "train"}
PETS = {"image": IMAGE, "label": tfds.features.ClassLabel(names=["cat", "dog", "emu"])}


@pytest.fixture
def pets(prepare, picture):
    """Seven pictures to train on and three to test, of classes 0, 1, 2, 0, 1, …"""

    def rows(first: int, count: int) -> list[dict]:
        return [{"image": picture(first + i), "label": i % 3} for i in range(count)]

    return prepare({"train": rows(0, 7), "test": rows(100, 3)}, PETS)


def changed(reader: TfdsReader, **fields) -> TfdsReader:
    return readers.make_reader({**dict(reader), **fields})


def read(dataset: TfdsReader, split: str = "train") -> list[LabelledImage]:
    parts = (part for part in dataset.parts() if split in part.splits)
    return [example for part in parts for example in TfdsReader.read(dataset, part)]


def by_image(examples: list[LabelledImage]) -> list[LabelledImage]:
    return sorted(examples, key=lambda example: example.image)


def test_encoded_images_and_their_labels_pass_through_untouched(prepare, picture):
    rows = [
        {"image": picture(1, 5, 3, compress_level=0), "label": 2},
        {"image": picture(2, 2, 9, "JPEG", quality=37, comment=b"as it was"), "label": 0},
        {"image": picture(3, 4, 4, "JPEG", progressive=True), "label": 1},
    ]
    dataset = prepare({"train": rows}, PETS)
    assert by_image(read(dataset)) == by_image([LabelledImage(row["image"], (row["label"],)) for row in rows])


def test_several_labels_an_image(prepare, picture):
    features = {"photo": IMAGE, "tags": tfds.features.Sequence(tfds.features.ClassLabel(names=["cat", "dog", "emu"]))}
    rows = [{"photo": picture(i), "tags": tags} for i, tags in enumerate([[2, 0], [1], [], [0, 1, 2]])]
    dataset = prepare({"train": rows}, features, image_key="photo", label_key="tags")
    expected = [LabelledImage(row["photo"], tuple(row["tags"])) for row in rows]
    assert by_image(read(dataset)) == by_image(expected)
    assert dataset.read_vocabulary().names == ("cat", "dog", "emu")


OBJECTS = {
    "image": IMAGE,
    "image/name": tfds.features.Text(),
    "objects": tfds.features.Sequence(
        {"label": tfds.features.ClassLabel(names=["cat", "dog", "emu"]), "confidence": np.int32, "more": np.int32}
    ),
    "boxes": tfds.features.Sequence({"label": tfds.features.ClassLabel(names=["hen", "owl"])}),
}


@pytest.fixture
def objects(prepare, picture):
    """As in Open Images: an image's labels with their confidence, 0 if it is known not to be there; and boxes."""
    # (label, confidence) of each image; the second has a label twice, the third one that a second source denies.
    found = [[(2, 10), (0, 0), (1, 6)], [(1, 7), (1, 10)], [(0, 9), (2, 5), (0, 0)], [(0, 0)], []]
    rows = [
        {
            "image": picture(i),
            "image/name": f"i{i}",
            "objects": [{"label": label, "confidence": confidence, "more": 1} for label, confidence in pairs],
            "boxes": [{"label": 1}, {"label": 0}, {"label": 1}],
        }
        for i, pairs in enumerate(found)
    ]
    return prepare({"train": rows}, OBJECTS, label_key="objects/label", id_key="image/name")


@pytest.mark.parametrize(
    ("least", "expected"),
    [(1, [(2, 1), (1,), (2,), (), ()]), (6, [(2, 1), (1,), (), (), ()]), (8.5, [(2,), (1,), (), (), ()])],
)
def test_labels_count_by_their_confidence(objects, least, expected):
    dataset = changed(objects, min_confidence=least)
    found = sorted(read(dataset), key=lambda example: example.source_id)
    assert [example.source_id for example in found] == ["i0", "i1", "i2", "i3", "i4"]
    assert [example.labels for example in found] == expected
    assert dataset.allows_several_labels()
    assert dataset.read_vocabulary().names == ("cat", "dog", "emu")


def test_each_object_has_a_label(objects):
    dataset = changed(objects, label_key="boxes/label")
    assert {example.labels for example in read(dataset)} == {(1, 0)}
    assert dataset.read_vocabulary().names == ("hen", "owl")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "min_confidence: None for 'objects/label' of 'pictures'; there is 'objects/confidence', set it to "),
        (
            {"label_key": "boxes/label", "min_confidence": 1},
            "min_confidence: 1.0 for 'boxes/label' of 'pictures'; ",
        ),
        (
            {"label_key": "objects/name"},
            "label_key: 'pictures' has no feature 'objects/name'; it has boxes/label, image, image/name, "
            "objects/confidence, objects/label, objects/more",
        ),
    ],
    ids=["least", "no confidence", "no such key"],
)
@pytest.mark.parametrize("function", [TfdsReader.read_vocabulary, read], ids=["vocabulary", "read"])
def test_nested_labels_that_cannot_be_read(objects, function, changes, message):
    with pytest.raises(ValueError) as error:
        function(changed(objects, **changes))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("feature", "values", "ids"),
    [
        (tfds.features.Text(), ["n01/a.jpg", "ö"], ["n01/a.jpg", "ö"]),
        (tfds.features.Scalar(np.int64), [0, -12], ["0", "-12"]),
    ],
    ids=["text", "integer"],
)
def test_the_id_is_the_data_sets_own(prepare, picture, feature, values, ids):
    rows = [{"image": picture(i), "label": 1, "name": value} for i, value in enumerate(values)]
    dataset = prepare({"train": rows}, {**PETS, "name": feature}, id_key="name")
    expected = [LabelledImage(row["image"], (1,), source_id) for row, source_id in zip(rows, ids, strict=True)]
    assert by_image(read(dataset)) == by_image(expected)


@pytest.mark.parametrize(
    ("expression", "few", "many"),
    [
        ("train", 2, 7),
        ("train[1:6]", 2, 5),
        ("train[3:4]", 1, 1),
        ("train[:50%]+test", 2, 4),
        ("test[-2:]+train[2:4]", 2, 2),
        ("train[:1]+test[:1]", 1, 1),
    ],
)
@pytest.mark.parametrize("part_bytes", [64 << 20, 100])
def test_parts_cover_a_split_once(pets, monkeypatch, expression, few, many, part_bytes):
    monkeypatch.setattr(reader, "PART_BYTES", part_bytes)
    dataset = changed(pets, splits={"eval": expression, "train": "train"})
    whole = list(dataset.read(tfds_reader.TfdsPart(expression, {})))
    parts = [part for part in dataset.parts() if "eval" in part.splits]
    read_of_parts = [list(dataset.read(part)) for part in parts]
    assert by_image([example for examples in read_of_parts for example in examples]) == by_image(whole)
    assert {split for part in parts for split in part.splits_of("0" * 32)} == set(parts[0].splits)
    assert len(parts) == (many if part_bytes == 100 else few)
    assert all(read_of_parts)


def test_the_order_of_the_files_is_kept(prepare, picture):
    rows = [{"image": picture(i), "label": 0} for i in range(160)]  # TFDS interleaves blocks of 16
    dataset = prepare({"train": rows}, PETS, files=4)
    builder = tfds.builder("pictures", data_dir=dataset.data_dir)
    assert len(builder.info.splits["train"].filenames) == 4
    alone = [
        example.image
        for shard in range(4)
        for example in dataset.read(tfds_reader.TfdsPart(f"train[{shard}shard]", {}))
    ]
    assert [example.image for example in read(dataset)] == alone


def test_sizes(pets):
    dataset = changed(pets, splits={"train": "train[2:]", "eval": "train[:2]+test", "test": "train+test"})
    info = tfds.builder("pictures", data_dir=pets.data_dir).info
    assert dataset.sizes() == {
        "train": (5, info.dataset_size * 5 // 10),
        "eval": (5, info.dataset_size * 5 // 10),
        "test": (10, info.dataset_size),
    }


@pytest.mark.parametrize(
    "expression",
    ["valid", "train[", "train[:200%]", "train[:8]", "", "train[a:]"],
    ids=lambda value: value or "nothing",
)
def test_a_split_expression_that_does_not_fit(pets, expression):
    with pytest.raises(ValueError) as error:
        TfdsReader.sizes(changed(pets, splits={"train": "train", "eval": expression}))
    assert str(error.value) == (
        f"splits.eval: {expression!r} does not fit 'pictures', which has the splits train, test"
    )


@pytest.mark.parametrize("expression", ["train[:0]", "train[:1%]", "train[5:2]"])
def test_an_empty_split(pets, expression):
    with pytest.raises(ValueError) as error:
        TfdsReader.sizes(changed(pets, splits={"train": "train", "eval": "test", "test": expression}))
    assert str(error.value) == f"splits.test: {expression!r} selects no example of 'pictures'"


def test_the_vocabulary_with_its_hierarchy(prepare, picture):
    rows = {"train": [{"image": picture(0), "label": 2}]}
    dataset = prepare(rows, PETS, metadata={"parents": {"emu": ["bird"], "cat": ["pet", "mammal"]}})
    labels = dataset.read_vocabulary()
    assert (labels.names, labels.parents) == (("cat", "dog", "emu"), (("pet", "mammal"), (), ("bird",)))


def test_a_number_of_classes_gives_numbers_as_names(prepare, picture):
    features = {"image": IMAGE, "label": tfds.features.ClassLabel(num_classes=3)}
    dataset = prepare({"train": [{"image": picture(0), "label": 2}]}, features)
    assert dataset.read_vocabulary().names == ("0", "1", "2")


def test_images_without_a_label(prepare, picture):
    features = {"image": IMAGE, "label": tfds.features.ClassLabel(names=["cat", "dog"])}
    rows = [{"image": picture(i), "label": label} for i, label in enumerate([1, -1, 0])]
    expected = [LabelledImage(row["image"], labels) for row, labels in zip(rows, [(1,), (), (0,)], strict=True)]
    assert by_image(read(prepare({"train": rows}, features))) == by_image(expected)


def test_a_label_without_names(prepare, picture):
    features = {"image": IMAGE, "age": tfds.features.Scalar(np.int64)}
    dataset = prepare({"train": [{"image": picture(0), "age": 2}]}, features, label_key="age")
    with pytest.raises(
        ValueError, match=r"^label_key: 'age' of 'pictures' is a Scalar, not a ClassLabel; name another key"
    ):
        dataset.read_vocabulary()


@pytest.mark.parametrize("argument", ["image_key", "label_key", "id_key"])
def test_a_feature_that_is_not_there(pets, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: 'pictures' has no feature 'picture'; it has image, label$"):
        read(changed(pets, **{argument: "picture"}))


def test_objects_are_no_labels(objects):
    with pytest.raises(
        ValueError, match=r"^label_key: 'objects' of 'pictures' is a FeaturesDict, not a ClassLabel; name another key"
    ):
        TfdsReader.read_vocabulary(changed(objects, label_key="objects"))


def test_a_label_feature_that_is_not_there(pets):
    with pytest.raises(ValueError, match=r"^label_key: 'pictures' has no feature 'objects'; it has image, label$"):
        TfdsReader.read_vocabulary(changed(pets, label_key="objects"))


def test_an_image_feature_that_is_none(pets):
    with pytest.raises(ValueError, match=r"^image_key: 'label' of 'pictures' is a ClassLabel, not an Image$"):
        read(changed(pets, image_key="label"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar_10", "'cifar_10' is not a TFDS data set, nor is it in {data_dir}; did you mean cifar10 or "),
        (
            "handwriten_digits:1.0.0",
            "{name!r} is not a TFDS data set, nor is it in {data_dir}; did you mean handwritten",
        ),
        ("qq", "'qq' is not a TFDS data set, nor is it in {data_dir}; embedded ones are handwritten_digits, printed"),
        ("pictures:9.*.*", "'pictures:9.*.*' is not a TFDS data set, nor is it in {data_dir}; "),
        ("mnist:99.0.0", "'mnist:99.0.0' cannot be opened: "),
        ("my pictures", "'my pictures' cannot be opened: "),
        ("mnist", "'mnist' is not prepared in {data_dir}/mnist/"),
    ],
    ids=["near", "near an embedded one", "nothing near", "version of files", "version", "no name", "not prepared"],
)
@pytest.mark.parametrize(
    "function", [TfdsReader.fingerprint, TfdsReader.read_vocabulary, TfdsReader.sizes], ids=lambda f: f.__name__
)
def test_a_data_set_that_cannot_be_read(pets, function, name, message):
    with pytest.raises(ValueError) as error:
        function(changed(pets, dataset=name))
    assert str(error.value).startswith("dataset: " + message.format(name=name, data_dir=pets.data_dir))
    assert "\n" not in str(error.value)


def test_not_prepared_says_where_and_what_to_do(tmp_path):
    with pytest.raises(ValueError) as error:
        TfdsReader.sizes(TfdsReader(dataset="mnist:3.0.1", splits=SPLITS, data_dir=str(tmp_path)))
    assert str(error.value) == (
        f"dataset: 'mnist:3.0.1' is not prepared in {tmp_path}/mnist/3.0.1; "
        "run `tfds build mnist:3.0.1` or set data_dir"
    )


class TestFingerprint:
    ROWS = 5

    @pytest.fixture
    def of(self, prepare, picture, tmp_path):
        def fingerprint(folder: str, **changes) -> str:
            """Prepares the same data set but for `changes` in a folder of its own."""
            rows = [{"image": picture(i), "label": i % 2} for i in range(changes.pop("rows", self.ROWS))]
            rows[3]["image"] = changes.pop("image", rows[3]["image"])
            features = {"image": IMAGE, "label": tfds.features.ClassLabel(names=changes.pop("names", ["cat", "dog"]))}
            return TfdsReader.fingerprint(prepare({"train": rows}, features, folder=tmp_path / folder, **changes))

        return fingerprint

    def test_same_data_same_fingerprint(self, of, tmp_path):
        first = of("first")
        assert len(first) == 16 and int(first, 16) >= 0
        shutil.copytree(tmp_path / "first", tmp_path / "moved")
        assert (
            TfdsReader.fingerprint(TfdsReader(dataset="pictures", splits=SPLITS, data_dir=str(tmp_path / "moved")))
            == first
        )
        (records,) = (tmp_path / "moved").rglob("*.tfrecord-*")
        os.utime(records, (1, 1_000_000_000))  # what was prepared again may have other labels of the same size
        assert (
            TfdsReader.fingerprint(TfdsReader(dataset="pictures", splits=SPLITS, data_dir=str(tmp_path / "moved")))
            != first
        )

    def test_it_does_not_depend_on_what_is_read(self, of, tmp_path):
        first = of("first")
        other = TfdsReader(
            dataset="pictures",
            splits={"train": "train[1:]", "eval": "train[:1]"},
            data_dir=str(tmp_path / "first"),
            label_key="none",
        )
        assert other.fingerprint() == first

    def test_it_changes_with_the_data(self, of, picture):
        variants = {
            "as it was": of("a"),
            "one more": of("b", rows=6),
            "another image": of("c", image=picture(3, 90, 90)),
            "label names of the same length": of("d", names=["dog", "cat"]),
            "more files": of("e", files=2),
            "another name": of("f", name="photos"),
        }
        assert len(set(variants.values())) == len(variants), variants


def test_embedded_data_are_prepared_when_asked_for_and_once(tmp_path):
    digits = TfdsReader(dataset="handwritten_digits", splits=SPLITS, data_dir=str(tmp_path), id_key="id")
    with pytest.raises(ValueError, match="not prepared"):
        digits.sizes()
    assert digits.prepare() is True
    assert digits.prepare() is False
    assert digits.sizes()["train"][0] == 100
    ids = [example.source_id for example in read(digits)]
    assert len(set(ids)) == 100 and all(source_id.startswith("digit-") for source_id in ids)


def test_other_data_sets_are_not_prepared_for_the_user(tmp_path):
    assert TfdsReader.prepare(TfdsReader(dataset="mnist", splits=SPLITS, data_dir=str(tmp_path))) is False
    assert list(tmp_path.iterdir()) == []


def test_shares_of_all_splits_by_the_hash_of_the_images(prepare, picture):
    rows = [{"image": picture(i % 40), "label": i % 3} for i in range(100)]  # most of them occur twice or more
    dataset = prepare({"a": rows[:70], "b": rows[70:]}, PETS, splits={"train": 0.7, "eval": 0.3})
    contents = dataset.open("unused")
    assert contents.examples == {"train": 70, "eval": 30}
    found: dict[str, list[bytes]] = {"train": [], "eval": []}
    for part in contents.parts:
        assert part.splits == ("train", "eval")
        for example in dataset.read(part):
            (split,) = part.splits_of(index.content_hash(example.image))
            found[split].append(example.image)
    assert sorted(found["train"] + found["eval"]) == sorted(row["image"] for row in rows)
    assert set(found["train"]).isdisjoint(found["eval"]) and min(map(len, found.values())) > 5


def test_ids_that_are_no_utf_8():
    assert tfds_reader._text(b"caf\xe9.jpg") == "caf\\xe9.jpg"
