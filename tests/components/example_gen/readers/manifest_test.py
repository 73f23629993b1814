"""Manifests: CSV and Parquet, one label and several, splits and ids, and what a bad row says."""

import os
import pathlib
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts.findings import Finding
from components.example_gen.readers import listing
from components.example_gen.readers.manifest import ManifestReader

SHARES = {"train": 0.5, "eval": 0.5}
OWN = {"train": "train", "eval": "val"}


@pytest.fixture
def manifest(tmp_path):
    def write(content: str | dict, name: str = "m.csv", splits=SHARES, **settings) -> ManifestReader:
        path = tmp_path / name
        if isinstance(content, dict):
            pq.write_table(pa.table(content), path)
        else:
            path.write_text(content)
        return ManifestReader(manifest=str(path), splits=splits, **settings)

    return write


def list_images(dataset: ManifestReader) -> list[tuple]:
    """Returns (id, path relative to the manifest, label names) of each row."""
    table, labels, _ = dataset.list_images()
    root = str(pathlib.Path(dataset.manifest).parent)
    return [
        (row["source_id"], row["uri"].removeprefix(f"{root}/"), [labels.names[label] for label in row["labels"]])
        for row in table.to_pylist()
    ]


def test_one_label(manifest, monkeypatch):
    monkeypatch.setattr(listing, "describe_files", lambda uris: [(1, 0)] * len(uris))  # there is no network
    dataset = manifest('path,label,more\na/1.jpg,owl,x\n"b, 2.jpg",007,y\n/abs/3.jpg,NA,\ngs://b/4.jpg,owl,z\n')
    assert list_images(dataset) == [
        ("a/1.jpg", "a/1.jpg", ["owl"]),
        ("b, 2.jpg", "b, 2.jpg", ["007"]),
        ("/abs/3.jpg", "/abs/3.jpg", ["NA"]),
        ("gs://b/4.jpg", "gs://b/4.jpg", ["owl"]),
    ]
    assert dataset.allows_several_labels() is False


def test_several_labels_by_a_separator(manifest):
    dataset = manifest(
        "path;x\tlabel\n1\tbee| ant\n2\tcow\n3\t\n4\tant|ant\n", "m.tsv", separator="|", image_key="path;x"
    )
    assert [labels for _, _, labels in list_images(dataset)] == [["bee", "ant"], ["cow"], [], ["ant"]]
    assert dataset.allows_several_labels() is True


@pytest.mark.parametrize(
    ("labels", "several", "expected"),
    [
        ([["bee", "ant"], ["ant"], []], True, [["bee", "ant"], ["ant"], []]),
        ([[3, 12], [12], None], True, [["3", "12"], ["12"], []]),
        ([3, 12, 3], False, [["3"], ["12"], ["3"]]),
        (["ant", "a|b", "ant"], False, [["ant"], ["a|b"], ["ant"]]),
        (["ant", None, ""], False, [["ant"], [], []]),
        ([["a", "", None], [], ["b"]], True, [["a"], [], ["b"]]),
        (pa.array([b"ant", b"bee", b"ant"]), False, [["ant"], ["bee"], ["ant"]]),
        (pa.array(["ant", "bee", "ant"]).dictionary_encode(), False, [["ant"], ["bee"], ["ant"]]),
        (
            pa.array([["a", "b"], ["c", "a"], ["b", ""]], pa.list_(pa.string(), 2)),
            True,
            [["a", "b"], ["c", "a"], ["b"]],
        ),
    ],
    ids=[
        *("lists", "lists of integers", "integers", "names", "gaps", "lists with gaps", "bytes", "dictionary"),
        "lists of two",
    ],
)
def test_parquet(manifest, labels, several, expected):
    dataset = manifest({"path": ["1", "2", "3"], "label": labels}, "m.parquet")
    assert [found for _, _, found in list_images(dataset)] == expected
    assert dataset.allows_several_labels() is several


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (
            "label",
            [1.5, 2.0],
            r"^label_key: column 'label' of .* has floating-point numbers, such as 1\.5; write names or ",
        ),
        (
            "label",
            [{"n": "a"}, {"n": "b"}],
            r"^label_key: column 'label' of .* is of type struct<n: string>; write",
        ),
        ("label", [[["a"]], []], r"^label_key: column 'label' of .* is of type list<.*list<.*string>>; write text"),
        (
            "path",
            [["1"], ["2"]],
            r"^image_key: column 'path' of .* is of type list<.*string>; write text or integers",
        ),
        ("label", [[b"a"], []], r"^label_key: column 'label' of .* is of type list<.*binary>; write"),
        ("path", [b"\xff", b"2"], r"^manifest: column 'path' of .*m\.parquet' is not UTF-8: "),
    ],
    ids=["fractions", "struct", "lists of lists", "list of paths", "lists of bytes", "bytes"],
)
def test_columns_of_other_types(manifest, column, values, message):
    columns = {"path": ["1", "2"], "label": ["a", "b"], column: values}
    with pytest.raises(ValueError, match=message):
        manifest(columns, "m.parquet").list_images()


def test_other_splits_need_not_be_used(manifest):
    text = "path,label,part\n1,x,train\n2,x,trainval\n3,x,val\n4,x,val2\n"
    table, _, found = manifest(text, splits=OWN, split_key="part").list_images()
    assert table["split"].to_pylist() == ["train", "val"]
    assert found == [Finding("unused_splits", 2, ("trainval 1", "val2 1"))]


@pytest.mark.parametrize("label", [-1, 7, None, 1.5], ids=["negative", "far", "gap", "fraction"])
def test_rows_of_other_splits_may_say_anything(manifest, tmp_path, label):
    (tmp_path / "names.txt").write_text("ant\nbee\n")
    columns = {
        "path": ["0", "1", "2", "3", "3", None],
        "label": [label, 1, 0, label, label, label],
        "part": ["test", "val", "train", *["test"] * 3],
    }
    if isinstance(label, float):
        columns["label"] = [str(value) for value in columns["label"]]
    dataset = manifest(columns, "m.parquet", OWN, split_key="part", names=str(tmp_path / "names.txt"))
    table, _, found = dataset.list_images()
    assert table.select(["source_id", "labels", "split"]).to_pylist() == [
        {"source_id": "1", "labels": [1], "split": "val"},
        {"source_id": "2", "labels": [0], "split": "train"},
    ]
    assert found == [Finding("unused_splits", 4, ("test 4",))]
    assert len(dataset.fingerprint()) == 16


def test_labels_of_other_splits_are_none(manifest):
    text = "path,label,part\n1,ant,train\n2,unknown,test\n3,bee,val\n"
    assert manifest(text, splits=OWN, split_key="part").read_vocabulary().names == ("ant", "bee")


def test_rows_are_counted_with_those_of_other_splits(manifest):
    text = "path,label,part\n1,x,test\n2,x,train\n,x,val\n"
    with pytest.raises(ValueError, match=r"^image_key: column 'path' of .*, row 3: it is empty$"):
        manifest(text, splits=OWN, split_key="part").list_images()


@pytest.mark.parametrize("keys", [{"id_key": "path"}, {"split_key": "label"}], ids=["id and image", "split and label"])
@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_a_column_for_two_keys(manifest, keys, name):
    content = {"path": ["1", "2"], "label": ["train", "val"]} if name == "m.parquet" else "path,label\n1,train\n2,val\n"
    dataset = manifest(content, name, OWN if "split_key" in keys else SHARES, **keys)
    assert list_images(dataset) == [("1", "1", ["train"]), ("2", "2", ["val"])]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("path;label\n1;x\n", "m.csv", r"; a semicolon seems to separate .* \.csv file: write it with commas$"),
        ('"path"\t"label"\n1\tx\n', "m.csv", r"; a tab seems to separate .* \.csv file: name it \.tsv$"),
        ("path,label\n1,x\n", "m.tsv", r"; a comma seems to separate .* \.tsv file: name it \.csv$"),
        ("path;label\na,1;x\n", "m.csv", r"; a semicolon seems to separate .* \.csv file: write it with commas$"),
        ("path_label\n1\n", "m.csv", r"path_label$"),
    ],
    ids=["semicolons", "tabs", "commas", "semicolons and a comma", "none"],
)
def test_another_delimiter(manifest, content, name, message):
    with pytest.raises(ValueError, match=rf"^image_key: '.*{name}' has no column 'path'; its columns are .*{message}"):
        manifest(content, name).list_images()


def test_paths_and_file_systems_that_do_not_exist(manifest, tmp_path):
    dataset = manifest("path,label\n1\0.png,x\nfoo://x/y.png,x\n/abs\0,x\n")
    assert dataset.fingerprint() == dataset.fingerprint()
    contents = dataset.open(str(tmp_path / "work"))
    found = {item.source_id: item for part in contents.parts for item in dataset.read(part)}
    assert {name: item.reason for name, item in found.items()} == dict.fromkeys(found, "unreadable")
    assert len(found) == 3 and found["1\0.png"].detail == "its path has a zero byte"
    assert "foo" in found["foo://x/y.png"].detail


def test_splits_ids_and_names(manifest, tmp_path):
    (tmp_path / "names.txt").write_text("cow\nant\nbee\n")
    dataset = manifest(
        "file,kind,part,key\n1,ant,train,k1\n2,bee,val,k2\n3,ant,unlabelled,k3\n",
        splits=OWN,
        image_key="file",
        label_key="kind",
        split_key="part",
        id_key="key",
        names=str(tmp_path / "names.txt"),
    )
    table, labels, _ = dataset.list_images()
    assert labels.names == ("cow", "ant", "bee")
    assert table.select(["source_id", "labels", "split"]).to_pydict() == {
        "source_id": ["k1", "k2"],
        "labels": [[1], [2]],
        "split": ["train", "val"],
    }
    contents = dataset.open(str(tmp_path / "work"))
    assert {part.own for part in contents.parts} == {"train", "val"}


def test_relative_paths_stay_below_the_manifest(manifest, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.jpg"
    outside.write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(outside)
    dataset = manifest("path,label\na/../b.jpg,x\n../c.jpg,x\na/../../d.jpg,x\nlink.jpg,x\n" + f"{outside},x\n")
    table, _, _ = dataset.list_images()
    refused = [row["refused"] is not None for row in table.to_pylist()]
    assert refused == [False, True, True, True, False]
    assert table["refused"][1].as_py() == f"outside_root: it leads out of {tmp_path}"


def test_files_that_are_not_there_are_set_aside_one_by_one(manifest, tmp_path):
    (tmp_path / "1.jpg").write_bytes(b"one")
    (tmp_path / "folder").mkdir()
    dataset = manifest("path,label\n1.jpg,x\n2.jpg,x\nfolder,x\n/dev/zero,x\n")
    contents = dataset.open(str(tmp_path / "work"))
    found = {item.source_id: item for part in contents.parts for item in dataset.read(part)}
    assert found["1.jpg"].image == b"one"
    details = {name: (item.reason, item.detail) for name, item in found.items() if name != "1.jpg"}
    assert details == {
        "2.jpg": ("unreadable", "No such file or directory"),
        "folder": ("unreadable", "not a file"),
        "/dev/zero": ("unreadable", "not a file"),
    }


@pytest.mark.parametrize(
    ("content", "settings", "message"),
    [
        ("file,label\n1,x\n", {}, r"^image_key: '.*m\.csv' has no column 'path'; its columns are file, label$"),
        (
            "path,label\n1,x\n",
            {"split_key": "part", "splits": OWN},
            r"^split_key: .* has no column 'part'; its columns are path, label",
        ),
        ("path,label\n1,x\n,y\n2,z\n,y\n", {}, r"^image_key: column 'path' of .*, rows 2, 4: it is empty$"),
        (
            "path,label,label\n1,x,y\n",
            {},
            r"^label_key: '.*m\.csv' has several columns 'label'; its columns are path, ",
        ),
        (
            "path,label\n" + "".join(f"{i % 9},x\n" for i in range(16)),
            {},
            r"^image_key: column 'path' of .*, rows 1, 2, 3, 4, 5 and 9 more: '0' is not the only one",
        ),
        (
            "path,label,part\n1,x,train\n2,x,Val\n3,x,val\n",
            {"split_key": "part", "splits": OWN},
            r"^split_key: column 'part' of .*, row 2: 'Val' is none of train, val; write them alike$",
        ),
        (
            "path,label,part\n1,x,train\n2,x,Train\n3,x,val\n",
            {"split_key": "part", "splits": {"train": "Train", "eval": "val"}},
            r"^split_key: column 'part' of .*, row 1: 'train' is none of Train, val; write them alike$",
        ),
        ("path,label,part\n1,x,train\n2,x,\n", {"split_key": "part", "splits": OWN}, r"row 2: it is empty$"),
        ("path,label\n", {}, r"^manifest: .* has no rows$"),
        ("path,label\n1,x,y\n", {}, r"^manifest: line 2 of .* has 3 cells, and the header 2$"),
        ("", {}, r"^manifest: .* cannot be read: "),
    ],
    ids=[
        *(
            "no path",
            "no split",
            "empty path",
            "two labels",
            "id twice",
            "slip in a split",
            "slip in splits",
            "empty split",
        ),
        *("no rows", "ragged", "nothing"),
    ],
)
def test_what_is_refused(manifest, content, settings, message):
    with pytest.raises(ValueError, match=message):
        manifest(content, **settings).list_images()


def test_a_label_that_is_no_name(manifest, tmp_path):
    (tmp_path / "names.txt").write_text("cow\nant\n")
    dataset = manifest("path,label\n1,ant\n2,aunt\n3,cow\n", names=str(tmp_path / "names.txt"))
    with pytest.raises(ValueError, match=r"row 2: the label 'aunt' is not in '.*names\.txt'; did you mean 'ant'\?$"):
        dataset.list_images()


def test_a_split_without_rows(manifest, tmp_path):
    dataset = manifest("path,label,part\n1,x,train\n2,x,other\n", splits=OWN, split_key="part")
    with pytest.raises(ValueError, match=r"^splits\.eval: the data have no split 'val'; they have other, train$"):
        dataset.open(str(tmp_path / "work"))


def test_other_files(tmp_path):
    with pytest.raises(ValueError, match=r"^manifest: 'm\.json' is not a \.csv, \.tsv or \.parquet file$"):
        ManifestReader(manifest="m.json", splits=SHARES).fingerprint()
    with pytest.raises(ValueError, match=r"^manifest: '.*m\.csv' cannot be read: "):
        ManifestReader(manifest=str(tmp_path / "m.csv"), splits=SHARES).fingerprint()


def test_the_fingerprint_sees_the_rows_and_the_files_they_name(manifest, tmp_path):
    (tmp_path / "1").write_bytes(b"x")
    content = {"path": ["1", "2"], "label": ["x", "y"], "other": [1, 2]}
    first = manifest(content, "m.parquet").fingerprint()
    assert manifest({**content, "other": [3, 4]}, "m.parquet").fingerprint() == first
    found = {first, manifest({**content, "label": ["x", "x"]}, "m.parquet").fingerprint()}
    (tmp_path / "2").write_bytes(b"x")
    found.add(manifest(content, "m.parquet").fingerprint())
    (tmp_path / "1").write_bytes(b"xy")
    found.add(manifest(content, "m.parquet").fingerprint())
    assert len(found) == 4


# A type whose unpickling makes a folder. Old versions of Arrow unpickle it when they read the file.
PROGRAM = """
import os, sys, pyarrow, pyarrow.parquet
class Program(pyarrow.PyExtensionType):
    def __init__(self): pyarrow.PyExtensionType.__init__(self, pyarrow.string())
    def __reduce__(self): return os.mkdir, (sys.argv[2],)
column = pyarrow.ExtensionArray.from_storage(Program(), pyarrow.array(["a.png"]))
pyarrow.parquet.write_table(pyarrow.table({"path": column, "label": ["a"]}), sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(pa, "PyExtensionType"), reason="this version of Arrow has no such types")
@pytest.mark.parametrize(
    "read",
    [
        'tables.read_columns(sys.argv[1], {"path_key": "path"})',
        'storage.read_table([sys.argv[1]], ["path"])',
    ],
    ids=["manifest", "artifact"],
)
def test_no_program_in_a_table_is_run(tmp_path, read):
    table, traces = tmp_path / "m.parquet", tmp_path / "it-ran"

    def run(program: str) -> subprocess.CompletedProcess:  # of its own: Beam would protect this one
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", program, str(table), str(traces)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    written = run(PROGRAM)
    assert written.returncode == 0, written.stderr
    result = run(
        f"import sys\nfrom components import storage\nfrom components.example_gen.readers import tables\n{read}"
    )
    assert result.returncode == 1 and not traces.exists()
    if read.startswith("tables"):
        assert result.stderr.splitlines()[-1].endswith(
            "m.parquet' has a column whose type is a Python program, which is not run; write plain types"
        )
