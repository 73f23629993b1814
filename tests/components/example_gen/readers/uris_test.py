"""Lists of URIs."""

import pytest

from components.example_gen.readers import listing
from components.example_gen.readers.uris import UriListReader

SHARES = {"train": 0.5, "eval": 0.5}


@pytest.fixture
def dataset(tmp_path):
    def write(text: str) -> UriListReader:
        (tmp_path / "list.txt").write_text(text)
        return UriListReader(uris=str(tmp_path / "list.txt"), splits=SHARES)

    return write


def test_labels_of_folders_and_of_lines(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "describe_files", lambda uris: [(1, 0)] * len(uris))  # there is no network
    table, labels, _ = dataset(
        "# birds\nowl/1.jpg\n\ngs://b/c/ant/2.jpg\n/x/3.jpg\tbarn owl\nant/4.jpg\towl\n"
    ).list_images()
    assert labels.names == ("ant", "barn owl", "owl")
    assert table.select(["source_id", "uri", "labels", "split", "refused"]).to_pydict() == {
        "source_id": ["owl/1.jpg", "gs://b/c/ant/2.jpg", "/x/3.jpg", "ant/4.jpg"],
        "uri": [f"{tmp_path}/owl/1.jpg", "gs://b/c/ant/2.jpg", "/x/3.jpg", f"{tmp_path}/ant/4.jpg"],
        "labels": [[2], [0], [1], [2]],
        "split": [None] * 4,
        "refused": [None] * 4,
    }


def test_a_path_that_leads_out(dataset, tmp_path):
    table, _, _ = dataset("ant/1.jpg\n../../etc/ant/2.jpg\n").list_images()
    assert table["refused"].to_pylist() == [None, f"outside_root: it leads out of {tmp_path}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant/1\n2.jpg\n", r"^uris: line 2 of '.*list\.txt' has no label: '2\.jpg'; write URI<TAB>label$"),
        ("ant/1\n\nant/2\t \n", r"^uris: line 3 of .* has no label: "),
        (
            "ant/1\nant/2\nant/1\tbee\n",
            r"^uris: lines 1, 3 of .*: 'ant/1' is there several times; ids must be unique, unless several_labels is ",
        ),
        ("ant/1\n./2.jpg\n", r"^uris: line 2 of .* has no label: '\./2\.jpg'; write URI<TAB>label$"),
        ("ant/../1.jpg\n", r"^uris: line 1 of .* has no label: "),
        (
            "ant/1\tcat\t\n2\tcat\t0.9\n",
            r"^uris: line 2 of .* has several tabs: '2\\tcat\\t0\.9'; write URI<TAB>label, or",
        ),
        ("# nothing\n", r"^uris: .* names no image$"),
    ],
    ids=["no folder", "empty label", "twice", "a dot", "two dots", "a third cell", "no image"],
)
def test_what_is_refused(dataset, text, message):
    with pytest.raises(ValueError, match=message):
        dataset(text).list_images()


def test_a_list_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"^uris: '.*list\.txt' cannot be read: "):
        UriListReader(uris=str(tmp_path / "list.txt"), splits=SHARES).fingerprint()


def test_marks_and_breaks_that_are_none(dataset, tmp_path):
    table, labels, _ = dataset("\ufeffant/1.jpg\r\na\u2028b/2.jpg\tbee\x0c!\r\n").list_images()
    assert table["source_id"].to_pylist() == ["ant/1.jpg", "a\u2028b/2.jpg"]
    assert labels.names == ("ant", "bee\x0c!")
