"""The ExampleGen on TFDS data sets that are prepared here: from the pictures to the files of the three artifacts."""

import io

import numpy as np
import PIL.Image
import pytest
import tensorflow_datasets as tfds
from tfx.components.util import examples_utils

from components import storage
from components.artifacts import index, vocabulary
from components.example_gen import readers
from components.example_gen.images import perceptual_hash
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.tfds import TfdsPart, TfdsReader
from components.example_gen.splits import Rule

NAMES = ["cat", "dog, wet", "emu"]
FEATURES = {
    "image": tfds.features.Image(shape=(None, None, 3)),
    "labels": tfds.features.Sequence(tfds.features.ClassLabel(names=NAMES)),
    "name": tfds.features.Text(),
}
PARENTS = {"dog, wet": ["pet", "mammal"], "emu": ["bird"]}
SIZES = {"train": 23, "eval": 5, "test": 1}
SPLITS = {"train": "train", "eval": "validation[:5]", "test": "validation[-1:]"}


def rows_of(picture, split: str, count: int) -> list[dict]:
    """PNGs and JPEGs of different sizes, with one or two labels."""
    return [
        {
            "image": picture(i, 3 + i % 2, 5 + i % 3, "PNG" if i % 3 else "JPEG"),
            "labels": [[2], [0, 1], [1]][i % 3],
            "name": f"{split}/{i:02d}",
        }
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def rows(picture) -> dict[str, list[dict]]:
    return {"train": rows_of(picture, "train", 23), "validation": rows_of(picture, "validation", 6)}


@pytest.fixture(scope="module")
def zoo(prepare, rows) -> TfdsReader:
    # Of a name of its own, and with names of features that are not the usual ones.
    names = {"splits": SPLITS, "label_key": "labels", "id_key": "name"}
    return prepare(rows, FEATURES, name="zoo", files=2, metadata={"parents": PARENTS}, **names)


@pytest.fixture(scope="module")
def generated(generate, zoo):
    """In four shards."""
    return generate(zoo, shards=4)


@pytest.fixture
def expected(rows) -> dict[str, dict]:
    """Id → what its record has to hold."""
    return {
        row["name"]: {
            "image/encoded": [row["image"]],
            "image/format": [b"png" if i % 3 else b"jpeg"],
            "image/height": [3 + i % 2],
            "image/width": [5 + i % 3],
            "image/class/label": row["labels"],
            "image/class/text": [NAMES[label].encode() for label in row["labels"]],
            "image/source_id": [row["name"].encode()],
        }
        for split in rows.values()
        for i, row in enumerate(split)
    }


def by_id(records: list[dict]) -> list[dict]:
    return sorted(records, key=lambda record: record["image/source_id"])


def ids(shards: list[list[dict]]) -> list[list[str]]:
    return [[record["image/source_id"][0].decode() for record in records] for records in shards]


def test_every_example_is_there_once_and_is_what_was_read(generated, expected):
    assert sorted(generated.examples.splits) == ["eval", "test", "train"]
    found = {}
    for split, size in SIZES.items():
        records = [record for shard in generated.shards(split) for record in shard]
        assert len(records) == size
        found |= {record["image/source_id"][0].decode(): record for record in records}
    assert found == expected
    train = {name for names in ids(generated.shards("train")) for name in names}
    assert train == {f"train/{i:02d}" for i in range(23)}


def test_the_index_says_that_it_has_no_hashes(generated):
    assert generated.hashed == "no"


def test_tfx_knows_how_to_read_them(generated):
    assert examples_utils.get_payload_format_string(generated.examples) == "FORMAT_TF_EXAMPLE"
    assert examples_utils.get_file_format(generated.examples) == "tfrecords_gzip"


def test_the_index_has_the_rows_of_the_records_in_their_order(generated):
    for split in SIZES:
        described = [
            [
                {
                    "source_id": record["image/source_id"][0].decode(),
                    "key": index.id_key(record["image/source_id"][0].decode()),
                    "labels": record["image/class/label"],
                    "split": split,
                    "format": record["image/format"][0].decode(),
                    "original_format": record["image/format"][0].decode(),
                    "converted": False,
                    "flattened": False,
                    "height": record["image/height"][0],
                    "width": record["image/width"][0],
                    "bytes": len(record["image/encoded"][0]),
                    "content_hash": index.content_hash(record["image/encoded"][0]),
                    "perceptual_hash": None,
                    "perceptual_hash_flipped": None,
                }
                for record in records
            ]
            for records in generated.shards(split)
        ]
        # The places of records have a test of their own.
        places = {"offset", "length"}
        found = [
            [{name: value for name, value in row.items() if name not in places} for row in rows]
            for rows in generated.index_shards(split)
        ]
        assert found == described


def test_perceptual_hashes_are_in_the_index_where_they_are_asked_for(prepare, generate):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), np.uint8)
    files = [io.BytesIO() for _ in pictures]
    for pixels, file in zip(pictures, files, strict=True):
        PIL.Image.fromarray(pixels).save(file, "PNG")
    rows = [{"image": file.getvalue(), "labels": [i % 2], "name": f"{i}"} for i, file in enumerate(files)]
    data = prepare({"train": rows, "eval": rows[:1]}, FEATURES, name="noise", label_key="labels", id_key="name")
    generated = generate(data, perceptual_hashes=True)
    found = {
        row["source_id"]: (row["perceptual_hash"], row["perceptual_hash_flipped"])
        for rows in generated.index_shards("train")
        for row in rows
    }
    assert generated.hashed == "yes"
    assert found == {f"{i}": perceptual_hash.hash_image(pixels) for i, pixels in enumerate(pictures)}


def test_a_key_decides_where_an_example_stands(generated):
    shards = ids(generated.shards("train"))
    for shard, names in enumerate(shards):
        keys = [index.id_key(name) for name in names]
        assert keys == sorted(keys)
        assert {key % 4 for key in keys} <= {shard}
    assert sum(map(len, shards)) == 23


def test_every_shard_is_there_even_when_it_is_empty(generated):
    (name,) = [name for names in ids(generated.shards("test")) for name in names]
    sizes = [int(shard == index.id_key(name) % 4) for shard in range(4)]
    assert [len(records) for records in generated.shards("test")] == sizes
    assert [len(records) for records in generated.index_shards("test")] == sizes
    names = {path.rsplit("/", 1)[1] for path in generated.files() if path.startswith("index/Split-test/")}
    assert names == {f"index-{shard:05d}-of-00004.parquet" for shard in range(4)}
    # Together they are one table: an empty one too has the columns.
    table = storage.read_table(storage.list_files(str(generated.index / "Split-test"), index.FILE_PATTERN))
    assert table.schema.equals(index.SCHEMA)


def test_the_vocabulary(generated):
    text = (generated.vocabulary / vocabulary.FILE_NAME).read_text(encoding="utf-8")
    assert vocabulary.loads(text) == vocabulary.make_vocabulary(NAMES, PARENTS)


def test_the_vocabulary_under_a_hierarchy(generate, zoo, tmp_path):
    (tmp_path / "animals.csv").write_text('name,parent\n"dog, wet",dog\ndog,animal\nemu,bird\nbird,animal\n')
    (tmp_path / "titles.csv").write_text("emu,Emu\nbird,Bird\n")
    files = {"file": str(tmp_path / "animals.csv"), "titles": str(tmp_path / "titles.csv")}
    generated = generate(zoo, shards=1, hierarchy=files)
    labels = vocabulary.loads((generated.vocabulary / vocabulary.FILE_NAME).read_text(encoding="utf-8"))
    parents = {"dog, wet": ["dog"], "dog": ["animal"], "Emu": ["Bird"], "Bird": ["animal"]}
    assert labels == vocabulary.make_vocabulary(["cat", "dog, wet", "Emu"], parents)
    assert vocabulary.descendants(labels, ["animal"]) == (1, 2)
    texts = {tuple(record["image/class/text"]) for record in generated.shards("train")[0]}
    assert texts == {(b"Emu",), (b"cat", b"dog, wet"), (b"dog, wet",)}


def test_the_same_examples_whatever_the_number_of_shards(generate, generated, zoo):
    one = generate(zoo, shards=1)
    for split in SIZES:
        (alone,) = one.shards(split)
        together = [record for records in generated.shards(split) for record in records]
        assert len(generated.shards(split)) == 4
        assert by_id(alone) == by_id(together)


def test_files_do_not_depend_on_who_reads_what(generate, generated, zoo, monkeypatch):
    def seven_parts(dataset):
        runs = {split: tfds.even_splits(dataset.splits[split], min(7, size)) for split, size in SIZES.items()}
        return [TfdsPart(run, {split: Rule(None)}) for split, of_split in runs.items() for run in reversed(of_split)]

    monkeypatch.setattr(TfdsReader, "parts", seven_parts)
    files = generate(zoo, shards=4).files()
    assert files == generated.files()
    assert len(files) == 3 * 4 * 3 + 3


@pytest.mark.slow
def test_files_do_not_depend_on_the_runner(generate, generated, zoo):
    several = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert generate(zoo, 4, several).files() == generated.files()


def test_small_splits_without_ids(generate, zoo, rows):
    generated = generate(readers.make_reader({**dict(zoo), "id_key": None}))
    assert [len(generated.shards(split)) for split in SIZES] == [1, 1, 1]  # a file each, unless it is asked for more
    (names,) = ids(generated.shards("train"))
    assert set(names) == {index.content_hash(row["image"]) for row in rows["train"]}


@pytest.fixture
def repeated(prepare, picture):
    """Three pictures: the first and the last are the same, the first and the second have the same name."""
    rows = [
        {"image": picture(value), "labels": [value], "name": name} for value, name in [(0, "m"), (1, "m"), (0, "n")]
    ]
    return prepare({"train": rows}, FEATURES, label_key="labels", id_key="name")


def test_an_id_that_occurs_twice(generate, repeated):
    message = "max_rejected: 2 of 6 images cannot be taken.*: 2 duplicate_id \\(m: another image of this split has the"
    with pytest.raises(ValueError, match=message):
        generate(repeated, shards=3)


def test_an_image_that_occurs_twice_is_no_fault(generate, repeated, picture):
    made = generate(readers.make_reader({**dict(repeated), "id_key": None}), shards=3, max_rejected=0.0)
    first, second = (index.content_hash(picture(value)) for value in (0, 1))
    assert set(made.records("train")) == {first, second}
    assert {source_id: row["reason"] for source_id, row in made.rejections().items()} == {first: "duplicate_image"}


def test_an_example_without_a_label_is_named(generate, prepare, picture):
    rows = [{"image": picture(i), "labels": [2] * (i != 3), "name": f"n{i}"} for i in range(5)]
    dataset = prepare({"train": rows}, FEATURES, label_key="labels", id_key="name")
    with pytest.raises(ValueError, match=r"2 of 10 images .* 2 no_label \(n3: it has no label, n3\)"):
        generate(dataset)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"splits": {"train": "train", "eval": "valid"}}, r"^splits\.eval: 'valid' does not fit 'zoo'"),
        ({"splits": {"train": "train[:0]", "eval": "train"}}, r"^splits\.train: 'train\[:0\]' selects no example"),
        ({"label_key": "name"}, r"^label_key: 'name' of 'zoo' is a Text, not a ClassLabel"),
        ({"dataset": "zoos"}, r"^dataset: 'zoos' is not a TFDS data set"),
    ],
    ids=["split", "empty split", "label", "name"],
)
def test_what_cannot_be_read_is_refused_before_anything_is_written(generate, zoo, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        generate(readers.make_reader({**dict(zoo), **changes}), root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_pictures_without_labels(generate, picture, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(picture(i))
    made = generate(FolderReader(folder=str(tmp_path)))
    assert made.examples.splits == ["train"]
    assert vocabulary.loads(storage.read_text(f"{made.vocabulary}/labels.csv")).names == ("unlabelled",)
    paths = storage.list_files(f"{made.index}/Split-train", index.FILE_PATTERN)
    rows = [row for path in paths for row in storage.read_table(path).to_pylist()]
    assert sorted(row["source_id"] for row in rows) == ["0.png", "1.png", "2.png"]
    assert {tuple(row["labels"]) for row in rows} == {(0,)}
