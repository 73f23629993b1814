"""The five kinds of data in a configuration, and what each mistake says."""

import pathlib

import pytest
import yaml

import pipeline
from components.example_gen import readers
from pipeline.config import load as loading

DEMO = pathlib.Path(pipeline.__file__).parent / "configs" / "demo.yaml"
SHARES = "{train: 0.75, eval: 0.25}"
NAMES = "{train: train, eval: 'validation[:50%]', test: 'validation[50%:]'}"


@pytest.fixture
def load(tmp_path):
    def load(source: str):
        """Returns the source of a configuration that has this source."""
        content = {**yaml.safe_load(DEMO.read_text(encoding="utf-8")), "source": yaml.safe_load(source)}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return loading.load(str(path)).source

    return load


@pytest.mark.parametrize(
    ("source", "kind", "location"),
    [
        ("{dataset: 'cifar10:3.*.*', splits: {train: 'train[:90%]', eval: 'train[90%:]'}}", "dataset", "cifar10:3.*.*"),
        (f"{{folder: /data/birds, splits: {NAMES}}}", "folder", "/data/birds"),
        (f"{{folder: 'gs://data/birds', splits: {SHARES}}}", "folder", "gs://data/birds"),
        (f"{{manifest: m.csv, splits: {SHARES}, separator: ';'}}", "manifest", "m.csv"),
        (f"{{manifest: m.parquet, splits: {NAMES}, split_key: part}}", "manifest", "m.parquet"),
        (f"{{tfrecords: 'd/{{split}}-*', splits: {NAMES}, compression: none}}", "tfrecords", "d/{split}-*"),
        (f"{{uris: list.txt, splits: {SHARES}, max_rejected: 0.5, max_pixels: 9}}", "uris", "list.txt"),
    ],
    ids=["dataset", "folder", "folder by shares", "manifest", "manifest with splits", "tfrecords", "uris"],
)
def test_each_kind_becomes_its_reader(load, source, kind, location):
    data = load(source)
    reader = data.reader()
    assert type(reader) is readers.class_of(kind)
    assert data.location == location == getattr(reader, kind)
    written = yaml.safe_load(source)
    assert reader.splits == written["splits"]
    for key in written.keys() - {"max_rejected", "max_pixels"}:
        assert getattr(reader, key) == written[key]
    assert (data.max_rejected, data.max_pixels) == ((0.5, 9) if kind == "uris" else (0.01, 89_478_485))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            f"{{splits: {SHARES}}}",
            r"source: names no data; give exactly one of dataset, folder, manifest, tfrecords, uris$",
        ),
        (f"{{folder: a, uris: b, splits: {SHARES}}}", r"source: has folder and uris; give exactly one of dataset, "),
        ("printed_glyphs", r"source: 'printed_glyphs': names no data; give exactly one of dataset, "),
        (f"{{folder: 3, splits: {SHARES}}}", r"source\.folder: 3: input should be a valid string$"),
        (f"{{folder: a, splits: {SHARES}, label_key: x}}", r"source: unknown key 'label_key'; allowed are .*folder"),
        ("{folder: a, splits: {train: 0.9}}", r"source\.splits: lacks eval; train and eval are needed"),
        (
            "{dataset: a, splits: {train: 0.9, eval: 0.2}}",
            r"source: splits: .* are shares with a sum of 1\.1; each has to be above 0",
        ),
        ("{folder: a, splits: {train: 0.9, eval: 0.2}}", r"source: splits: .*sum of 1\.1"),
        ("{folder: a, splits: {train: 0.5, eval: x}}", r"source: splits: .*mixes shares with names"),
        ("{folder: a, splits: {train: 'x[5%:5%]', eval: x}}", r"source: splits\.train: 'x\[5%:5%\]' is no slice"),
        (
            "{folder: a, splits: {training: x, eval: x}}",
            r"source\.splits\.training: .*should be 'train', 'eval' or 'test'",
        ),
        (
            f"{{manifest: a, splits: {NAMES}}}",
            r"source: split_key: None with splits .*; names of splits need the column",
        ),
        (f"{{tfrecords: a, splits: {NAMES}}}", r"source: tfrecords: 'a' with splits .* need \{split\} in the path"),
        (f"{{uris: 'a{{split}}', splits: {SHARES}}}", r"source: uris: 'a\{split\}' with splits"),
        (
            f"{{tfrecords: a, splits: {SHARES}, compression: bz2}}",
            r"compression: 'bz2': input should be 'none', 'gzip'",
        ),
        (
            f"{{folder: a, splits: {SHARES}, max_pixels: 178956971}}",
            r"source\.max_pixels: 178956971: .*less than or equal",
        ),
        ("{folder: a, splits: {train: 1, eval: 0.5}}", r"source\.splits\.train: 1: must be a name, such as train or"),
        (
            f"{{folder: a, splits: {SHARES}, max_rejected: 1.5}}",
            r"source\.max_rejected: 1\.5: .*less than or equal to 1",
        ),
    ],
    ids=[
        *("none", "two", "a text", "no text", "key of another kind", "no eval", "shares of tfds", "sum", "mixed"),
        *("slice", "split", "no split_key", "no place", "place", "compression", "pixels", "no share", "rejected"),
    ],
)
def test_mistakes(load, source, message):
    with pytest.raises(ValueError, match=message) as error:
        load(source)
    assert len(str(error.value).splitlines()) <= 2
