"""Text in other encodings, with stray quotes, and with breaks where none belong: in every reader that reads text."""

import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st

from components.artifacts import findings
from components.example_gen import hierarchy_file, readers, text
from components.example_gen.hierarchy_file import HierarchyFile
from components.example_gen.readers.names import read_names

SHARES = {"train": 0.5, "eval": 0.5}
# Kind → key that names the text file, its name, its content, and the labels that follow from it.
TEXTS = {
    "csv": ("manifest", "m.csv", "path,label,note\na/1.png,öd,x\na/2.png,ant,ü\n", ("ant", "öd")),
    "tsv": ("manifest", "m.tsv", "path\tlabel\tnote\na/1.png\töd\tx\na/2.png\tant\tü\n", ("ant", "öd")),
    "uris": ("uris", "list.txt", "a/1.png\töd\na/2.png\tant\n", ("ant", "öd")),
    "names": ("names", "names.txt", "ant\nöd\n", ("ant", "öd")),
    "label map": ("names", "map.pbtxt", "item { id: 0 name: 'ant' }\nitem { id: 1 name: 'öd' }\n", ("ant", "öd")),
}
KINDS = pytest.mark.parametrize("kind", TEXTS)


@pytest.fixture
def write(tmp_path):
    def write(kind: str, content: bytes, **settings) -> readers.Reader:
        """Returns a reader whose text file has this content."""
        key, name, _, _ = TEXTS[kind]
        (tmp_path / name).write_bytes(content)
        settings = {"splits": SHARES, **settings, key: str(tmp_path / name)}
        if key == "names":
            settings |= {"tfrecords": str(tmp_path / "none-*"), "compression": "none"}
        return readers.make_reader(settings)

    return write


@KINDS
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp1252", "utf-16-le", "utf-16", "utf-32", "utf-8-sig"])
def test_what_the_encoding_says(write, kind, encoding):
    _, _, content, names = TEXTS[kind]
    assert write(kind, content.encode(encoding), encoding=encoding).read_vocabulary().names == names


@KINDS
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_says_the_encoding(write, kind, encoding):
    _, _, content, names = TEXTS[kind]
    for setting in ("utf-8", "latin-1"):
        assert write(kind, content.encode(encoding), encoding=setting).read_vocabulary().names == names


@KINDS
def test_another_encoding_is_named_with_file_and_line(write, kind):
    key, name, content, _ = TEXTS[kind]
    line = next(number for number, row in enumerate(content.split("\n"), 1) if "ö" in row)
    message = rf"^{key}: line {line} of '.*{name}' is not utf-8: .*öd.*; set encoding: to what the file is written in"
    with pytest.raises(ValueError, match=message):
        write(kind, content.encode("latin-1")).read_vocabulary()
    with pytest.raises(ValueError, match=rf"^{key}: '.*{name}' is UTF-16 without its mark; set encoding: utf-16-be$"):
        write(kind, content.encode("utf-16-be")).read_vocabulary()


@pytest.mark.parametrize("place", ["header", "cell"])
def test_what_nobody_asked_for_counts_too(write, place):
    content = {"header": "path,label,Größe\na/1.png,x,3\n", "cell": "path,label,note\na/1.png,x,grün\n"}[place]
    line = {"header": 1, "cell": 2}[place]
    with pytest.raises(ValueError, match=rf"^manifest: line {line} of '.*m\.csv' is not utf-8: .* set encoding: "):
        write("csv", content.encode("latin-1")).read_vocabulary()
    assert write("csv", content.encode("latin-1"), encoding="latin-1").read_vocabulary().names == ("x",)


def test_a_hierarchy_in_another_encoding(tmp_path):
    path = tmp_path / "tree.csv"
    path.write_bytes("name,parent\nant,Käfer\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"^hierarchy\.file: line 2 of '.*tree\.csv' is not utf-8: "):
        hierarchy_file.read_hierarchy(HierarchyFile(str(path)))
    assert hierarchy_file.read_hierarchy(HierarchyFile(str(path), encoding="latin-1")).parents == {"ant": ["Käfer"]}


def test_names_of_a_data_set_in_another_encoding(prepare, picture, tmp_path):
    (tmp_path / "names.txt").write_bytes("ant\nöd\n".encode("latin-1"))
    features = {"image": tfds.features.Image(shape=(None, None, 3)), "label": tfds.features.ClassLabel(num_classes=2)}
    rows = [{"image": picture(0), "label": 1}]
    dataset = prepare({"train": rows}, features, names=str(tmp_path / "names.txt"), encoding="latin-1")
    assert dataset.read_vocabulary().names == ("ant", "öd")
    with pytest.raises(ValueError, match=r"^names: line 2 of '.*names\.txt' is not utf-8: "):
        readers.make_reader({**dict(dataset), "encoding": "utf-8"}).fingerprint()


@pytest.mark.parametrize("encoding", ["utf9", "hex", ""])
def test_what_is_no_encoding(write, encoding):
    with pytest.raises(ValueError, match="is no encoding of text; some are utf-8"):
        write("csv", b"", encoding=encoding)


@given(
    # A zero behind the mark of UTF-16 makes it that of UTF-32.
    st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")),
    st.sampled_from(["utf-16", "utf-32", "utf-8-sig"]),
)
def test_every_text_with_a_mark_is_read(content, encoding):
    assert text.decode("names", "x", content.encode(encoding)) == content.removeprefix("\ufeff")


ROWS = "".join(f"a/{i}.png,ant\n" for i in range(20))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            f'path,label\na/x.png,bee\n"y.png,bee\n{ROWS}"z,x\n',
            r"^image_key: line 3 of .* column 'path' has 22 lines, b",
        ),
        (
            f'path,label\na/x.png,bee\n"y.png,bee\n{ROWS}',
            r"^manifest: line 3 of .* has 1 cells, and the header 2, and spans 21 lines: if",
        ),
        (f'path,label\n{ROWS}a/x.png,"bee\n{ROWS}', r"^label_key: line 22 of .* column 'label' has 21 lines, beginn"),
        (f'path,label\n\n\n"a/x.png","bee\ncow"\n{ROWS}', r"^label_key: line 4 of .* column 'label' has 2 lines, beg"),
        ('path,label,note\na,b,"one\ntwo"\nc,"d\n",e\n', r"^label_key: line 4 of .* column 'label' has 1 lines, beg"),
    ],
    ids=["a path", "to the end", "a label", "behind empty lines", "behind a long row"],
)
def test_a_quote_without_the_other(write, content, message):
    with pytest.raises(ValueError, match=message):
        write("csv", content.encode()).read_vocabulary()


def test_a_quote_in_a_column_that_nobody_asked_for(write, tmp_path):
    content = f'path,label,note\na/x.png,bee,"lost\n{ROWS}a/y.png,cow,"found"\na/z.png,ant,"two\nlines"\n'
    listed = write("csv", content.encode()).list_images()
    assert [found for found in listed.findings if found.kind == "long_rows"] == [
        findings.Finding("long_rows", 2, ("lines 2 to 23", "lines 24 to 25"))
    ]
    assert listed.labels.names == ("ant", "bee")
    whole = write("csv", b'path,label,note\na/x.png,bee,"fine"\n\na/z.png,ant,"too"\n').list_images()
    assert list(whole.findings) == []


def test_quotes_of_a_tsv_are_literal(write):
    content = 'path\tlabel\na/1.png\t5" nail\na/2.png\t"bee"\na/3.png\t"cow\na/4.png\tant\n'
    assert write("tsv", content.encode()).read_vocabulary().names == ('"bee"', '"cow', '5" nail', "ant")


def test_quotes_of_a_csv(write):
    content = 'path,label\n"a,1.png","5"" nail"\na/2.png,5" screw\n'
    table, names, _ = write("csv", content.encode()).list_images()
    assert (table["source_id"].to_pylist(), names.names) == (["a,1.png", "a/2.png"], ('5" nail', '5" screw'))


def test_breaks_of_other_files(write, tmp_path):
    pq.write_table(pa.table({"path": ["a", "b"], "label": ["x", "y\nz"]}), tmp_path / "m.parquet")
    with pytest.raises(
        ValueError, match=r"^label_key: row 2 of '.*m\.parquet': the cell of column 'label' has 2 lines"
    ):
        readers.make_reader({"manifest": str(tmp_path / "m.parquet"), "splits": SHARES}).list_images()
    with pytest.raises(ValueError, match=r"^uris: line 2 of '.*list\.txt' has a line break in it: 'a/2\.png\\tbe\\re'"):
        write("uris", b"a/1.png\tant\na/2.png\tbe\re\n").list_images()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ant\nbee\n\n", {0: "ant", 1: "bee"}),
        ("0:ant\r\n1: bee hive\r\n", {0: "ant", 1: "bee hive"}),
        ("7:ant\n3:a:b\n", {3: "a:b", 7: "ant"}),
        ("1:ant\n1:bee\n", {0: "1:ant", 1: "1:bee"}),
        ("1:ant\nbee\n", {0: "1:ant", 1: "bee"}),
        (
            'item{id:5 name:"it\\"s"}# x\n# item {id: 9 name: "no"}\nitem {id: 2 display_name: \'b\'}',
            {2: "b", 5: 'it"s'},
        ),
    ],
    ids=["names", "numbered", "numbered with gaps", "a number twice", "some numbered", "a label map"],
)
def test_files_of_names(tmp_path, content, expected):
    (tmp_path / "names").write_text(content, newline="")
    found = read_names(str(tmp_path / "names"))
    assert dict(zip(found.indices, found.names, strict=True)) == expected


@pytest.mark.parametrize(
    ("content", "first", "message"),
    [
        ("item { id: 1 }", 0, r"^names: an item of the label map '.*' lacks an id or a name: id: 1$"),
        ("item { name: 'a' }", 0, r'lacks an id or a name: name: "a"$'),
        ("item { id: x name: 'a' }", 0, r"^names: the label map '.*' cannot be read: 1:12 : .*: x$"),
        ("item { id: -1 name: 'a' }", 0, r"^names: the label map '.*' has the id -1 below 0$"),
        ("item { id: 1 name: 'a' } item { id: 1 name: 'b' }", 0, r"has the id 1 twice; ids must be unique$"),
        ("1:ant\n2:bee\n", 2, r"^first_label: 2, but '.*' numbers its names from 1; leave it out$"),
        ("ant\n\nbee\n", 0, r"^names: line 2 of '.*' is empty; it needs a label name a line$"),
        ("ant\ncrane\nbee\ncrane\n", 0, r"^names: lines 2 and 4 of '.*' are both 'crane'; label names must be unique$"),
        ("7:crane\n2:ant\n3:crane\n", 0, r"^names: indices 7 and 3 of '.*' are both 'crane'; label names must be u"),
    ],
    ids=[
        *("no name", "no id", "no number", "a negative id", "an id twice", "another first label", "a hole"),
        *("a name twice", "a numbered name twice"),
    ],
)
def test_files_that_are_none_of_names(tmp_path, content, first, message):
    (tmp_path / "names").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_names(str(tmp_path / "names"), first)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_format": "index"}, "names: null, and label_format is 'index'; give a file with the names"),
        ({"first_label": 1}, "first_label: 1, and names is null; give a file with the names"),
        ({"first_label": 1, "names": "x", "label_format": "name"}, "first_label: 1 with label_format 'name'; it needs"),
        ({"uris": "x", "names": "x", "label_format": "one_hot"}, "label_format: 'one_hot', but a line has one label"),
    ],
    ids=["no names", "a first label of none", "a first label of names", "a vector in a line"],
)
def test_keys_that_do_not_go_together(settings, message):
    kind = {} if "uris" in settings else {"manifest": "m.csv"}
    with pytest.raises(ValueError, match=message):
        readers.make_reader({**kind, "splits": SHARES, **settings})


@pytest.fixture
def shards(tmp_path):
    def write(*names: str, empty: tuple[str, ...] = (), compression: str = "none") -> pathlib.Path:
        options = tf.io.TFRecordOptions(compression_type="" if compression == "none" else compression.upper())
        for name in names:
            features = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
                "image/class/label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ant"])),
            }
            record = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
            with tf.io.TFRecordWriter(str(tmp_path / name), options) as writer:
                writer.write(record)
        for name in empty:
            (tmp_path / name).touch()
        return tmp_path

    return write


def read(folder: pathlib.Path, pattern: str, compression: str = "none") -> readers.Reader:
    keys = {"tfrecords": str(folder / pattern), "compression": compression, "splits": SHARES}
    return readers.make_reader(keys)


@pytest.mark.parametrize("pattern", ["*", "a-*", "a-*-of-00003", "a-?????-of-*", "a-0000[12]-of-*"])
def test_a_shard_that_is_not_there(shards, pattern):
    folder = shards("a-00000-of-00003", "a-00002-of-00003")
    with pytest.raises(
        ValueError, match=r"^tfrecords: \S*/a-00001-of-00003 is not there, though the names of the other"
    ):
        read(folder, pattern).fingerprint()


def test_shards_that_are_asked_for_are_enough(shards, tmp_path):
    folder = shards("a-00000-of-00003", "a-00002-of-00003", "b-00000-of-00001", "c.rec", "d-1-of-2.gz", "d-0-of-2.gz")
    for pattern, count in (("a-0000[02]-of-*", 2), ("a-00000-of-00003", 1), ("b-*", 1), ("c*", 1), ("d-*", 2)):
        reader = read(folder, pattern)
        assert len(reader.fingerprint()) == 16
        assert len(reader.open(str(tmp_path / "work")).parts) == count


def test_an_empty_shard(shards, tmp_path):
    folder = shards("a-00000-of-00002", empty=("a-00001-of-00002",))
    found = read(folder, "a-*").open(str(tmp_path / "work")).findings
    assert list(found) == [findings.Finding("empty_file", 1, (str(folder / "a-00001-of-00002"),))]
    for compression in ("gzip", "zlib"):
        folder = shards("b-00000-of-00002", empty=("b-00001-of-00002",), compression=compression)
        with pytest.raises(ValueError, match=rf"^tfrecords: \S*/b-00001-of-00002: 0 bytes are no {compression} file"):
            read(folder, "b-*", compression).fingerprint()


@pytest.mark.parametrize("change", ["missing", "empty"])
def test_a_shard_of_a_data_set(prepare, picture, change):
    features = {
        "image": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=["a", "b"]),
    }
    rows = {own: [{"image": picture(i), "label": i % 2} for i in range(6)] for own in ("train", "other")}
    dataset = prepare(rows, features, files=3, splits={"train": "train[:50%]", "eval": "train[50%:]"})
    assert len(dataset.fingerprint()) == 16
    (folder,) = pathlib.Path(dataset.data_dir).glob("pictures/*")
    for own in ("other", "train"):
        (path,) = folder.glob(f"pictures-{own}.tfrecord-00001-of-00003")
        path.unlink()
        if change == "empty":
            path.touch()
        if own == "other":  # which is not read
            assert len(dataset.fingerprint()) == 16
    with pytest.raises(
        ValueError, match=r"^dataset: \S*pictures-train\.tfrecord-00001-of-00003 is not there, or has no"
    ):
        dataset.fingerprint()
