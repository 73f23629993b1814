"""Record files of other origin."""

import pathlib
import pickle
import shutil

import pytest
import tensorflow as tf

from components.artifacts.findings import Finding
from components.example_gen.readers.reader import LabelledImage
from components.example_gen.readers.tfrecords import TFRecordReader

SHARES = {"train": 0.5, "eval": 0.5}


def example(**features) -> bytes:
    def feature(values) -> tf.train.Feature:
        values = values if isinstance(values, list) else [values]
        if all(isinstance(value, int) for value in values):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    found = {name: feature(values) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=found)).SerializeToString()


@pytest.fixture
def dataset(tmp_path):
    def write(*records: bytes, compression: str = "none", names: str | None = None, **settings) -> TFRecordReader:
        written = {"none": "", "gzip": "GZIP", "zlib": "ZLIB"}[compression]
        with tf.io.TFRecordWriter(str(tmp_path / "a.rec"), tf.io.TFRecordOptions(compression_type=written)) as writer:
            for record in records:
                writer.write(record)
        if names is not None:
            (tmp_path / "names.txt").write_text(names)
            settings["names"] = str(tmp_path / "names.txt")
        keys = {"image_key": "image", "label_key": "label", "compression": compression, **settings}
        return TFRecordReader(tfrecords=str(tmp_path / "*.rec"), splits=SHARES, **keys)

    return write


def read(dataset: TFRecordReader) -> list:
    contents = dataset.open(f"{dataset.tfrecords.rpartition('/')[0]}/work")
    return [item for part in contents.parts for item in dataset.read(part)]


def test_files_of_an_earlier_run_are_told(dataset, tmp_path):
    found = dataset(example(image=b"1", label=b"x"))
    for name in ("t-0-of-2.rec", "t-1-of-2.rec", "t-0-of-1.rec"):
        shutil.copy(tmp_path / "a.rec", tmp_path / name)
    assert list(found.open(str(tmp_path / "work")).findings) == [
        Finding("generations", 2, (f"{tmp_path}/t-*-of-1.rec", f"{tmp_path}/t-*-of-2.rec"))
    ]


@pytest.mark.parametrize("compression", ["none", "gzip", "zlib"])
def test_integers_count_the_names(dataset, compression):
    found = dataset(
        example(image=b"1", label=2), example(image=b"2", label=0), compression=compression, names="ant\nbee\ncow\n"
    )
    assert read(found) == [LabelledImage(b"1", (2,)), LabelledImage(b"2", (0,))]
    assert found.read_vocabulary().names == ("ant", "bee", "cow")


def test_names_are_looked_up_in_the_data(dataset):
    found = dataset(
        example(image=b"1", label=[b"cow", b"ant"], key=b"k1"),
        example(image=b"2", label=b"bee", key=b"k2"),
        id_key="key",
        several_labels=True,
    )
    assert found.read_vocabulary().names == ("ant", "bee", "cow")
    assert read(found) == [LabelledImage(b"1", (2, 0), "k1"), LabelledImage(b"2", (1,), "k2")]
    assert found.allows_several_labels() is True


def test_ids_may_be_integers(dataset):
    assert read(dataset(example(image=b"1", label=b"x", key=-12), id_key="key")) == [LabelledImage(b"1", (0,), "-12")]


def test_what_a_record_lacks_is_set_aside(dataset, tmp_path):
    found = dataset(
        example(image=b"1", label=b"ant", key=b"k1"),
        example(label=b"ant", key=b"k2"),
        example(image=b"3", label=b"ant"),
        example(image=b"5", key=b"k5"),
        names="ant\n",
        id_key="key",
    )
    good, no_image, no_id, no_label = read(found)
    assert (good.source_id, no_label.labels) == ("k1", ())
    assert (no_image.source_id, no_image.reason) == ("k2", "no_image")
    assert (no_id.source_id, no_id.reason) == (f"{tmp_path}/a.rec record 2", "no_id")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"image_key": "jpg"},
            r"^image_key: .*a\.rec has no feature 'jpg'; its first record has image, label, number$",
        ),
        ({"label_key": "class"}, r"^label_key: .* has no feature 'class'"),
        ({"id_key": "key"}, r"^id_key: .* has no feature 'key'"),
        (
            {"label_key": "number"},
            r"^names: null, and 'number' of .*a\.rec has integers; name a file with a label name",
        ),
    ],
    ids=["image", "label", "id", "names"],
)
def test_what_is_refused(dataset, settings, message):
    found = dataset(example(image=b"1", label=b"x", number=3))
    settings = {**{key: getattr(found, key) for key in ("image_key", "label_key", "compression")}, **settings}
    with pytest.raises(ValueError, match=message):
        TFRecordReader(tfrecords=found.tfrecords, splits=SHARES, **settings).open("unused")


def test_another_compression_or_a_damaged_file_ends_the_run(dataset, tmp_path):
    found = dataset(*(example(image=bytes(1000), label=b"x") for _ in range(5)))
    with pytest.raises(ValueError, match=r"^tfrecords: .*a\.rec is damaged, or its compression is not 'gzip'"):
        TFRecordReader(
            tfrecords=found.tfrecords, splits=SHARES, compression="gzip", image_key="image", label_key="label"
        ).open("unused")
    path = pathlib.Path(tmp_path / "a.rec")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"^tfrecords: .*a\.rec is damaged"):
        read(found)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"^tfrecords: no file matches '.*/\*\.rec'$"):
        TFRecordReader(tfrecords=f"{tmp_path}/*.rec", splits=SHARES).fingerprint()


@pytest.mark.parametrize(
    ("names", "message"),
    [("ant\n\nbee\n", r"names: line 2 of .* is empty"), ("", r"names: line 1 of .* is empty")],
    ids=["hole", "nothing"],
)
def test_names_with_a_hole(dataset, names, message):
    with pytest.raises(ValueError, match=message):
        dataset(example(image=b"1", label=0), names=names).open("unused")


def test_an_image_has_each_label_once(dataset):
    records = example(image=b"1", label=[1, 1, 0]), example(image=b"2", label=[0, 0])
    assert read(dataset(*records, names="a\nb\n", several_labels=True)) == [
        LabelledImage(b"1", (1, 0)),
        LabelledImage(b"2", (0,)),
    ]
    first, second = read(dataset(*records, names="a\nb\n"))
    assert (first.reason, second) == ("several_labels", LabelledImage(b"2", (0,)))
    assert first.detail.endswith("a.rec record 0; set several_labels to true")


def test_a_record_that_is_no_example(dataset):
    found = read(dataset(example(image=b"1", label=b"x"), b"\xff\xfe no example", example(image=b"2", label=b"y")))
    assert [item if isinstance(item, LabelledImage) else item.reason for item in found] == [
        LabelledImage(b"1", (0,)),
        "damaged",
        LabelledImage(b"2", (1,)),
    ]
    with pytest.raises(ValueError, match=r"^tfrecords: the first record of .*a\.rec is no tf\.train\.Example$"):
        read(dataset(b"\xff\xfe no example"))


def test_files_without_a_record(dataset, tmp_path):
    found = dataset(example(image=b"1", label=b"x"))
    (tmp_path / "0.rec").touch()
    (tmp_path / "z.rec").touch()
    assert read(found) == [LabelledImage(b"1", (0,))]
    (tmp_path / "a.rec").unlink()
    with pytest.raises(ValueError, match=r"^tfrecords: .*0\.rec, .*z\.rec: there is no record in them$"):
        read(found)


def test_a_mark_before_the_names_is_none_of_a_name(dataset, tmp_path):
    found = dataset(example(image=b"1", label=1), names="\ufeffant\nbee\n")
    assert found.read_vocabulary().names == ("ant", "bee")


def test_parts_stay_small_whatever_the_number_of_labels(dataset, tmp_path):
    found = dataset(example(image=b"1", label=20_000), names="".join(f"label {i}\n" for i in range(21_841)))
    contents = found.open(f"{tmp_path}/work")
    assert len(pickle.dumps(contents.parts)) < 2000
    assert [item.labels for part in contents.parts for item in found.read(part)] == [(20_000,)]
