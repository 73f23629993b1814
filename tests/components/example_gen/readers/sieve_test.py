"""What is no data: the litter of systems, files beside images, and what is excluded; in every reader of files."""

import pytest

from components.artifacts.findings import Finding
from components.example_gen import readers
from components.example_gen.readers import listing
from components.example_gen.readers.sieve import IMAGE_ENDINGS, LITTER, SIDE_FILES, Sieve

SHARES = {"train": 0.5, "eval": 0.5}
IMAGES = ("cat/1.jpg", "cat/2.JPG", "dog/3.jpg", "dog/sub/4")
LITTERED = (
    "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "cat/@eaDir/2.JPG/SYNOPHOTO_THUMB_M.jpg",
    "dog/@EADIR/3.jpg",
    "dog/Thumbs.DB",
    "dog/._3.jpg",
    "dog/#recycle/5.jpg",
    "$Recycle.Bin/6.jpg",
    "System Volume Information/7.jpg",
    "dog/sub/desktop.ini",
    "dog/lost+found/8.jpg",
)
LITTER_FINDING = Finding(
    "litter", 9, ("@eaDir 2", "#recycle 1", "$RECYCLE.BIN 1", "._* 1", "System Volume Information 1", "…")
)
BESIDE = ("cat/1.xml", "cat/1.TXT", "dog/boxes.mat", "dog/more.txt")
SIDE_FINDING = Finding("side_files", 4, (".txt 2", ".mat 1", ".xml 1"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a/1.jpg", None),
        ("a/.1.jpg", "litter"),
        (".git/1.jpg", "litter"),
        ("a/1.jpg~", "litter"),
        ("a/~1.jpg", None),
        ("a/FOUND.000/1.jpg", "litter"),
        ("a/found.0001/1.jpg", None),
        ("a/.@__thumb/1.jpg", "litter"),
        ("eaDir/1.jpg", None),
        ("thumbs.db.jpg", None),
        ("a/1.json", "side_files"),
        ("a/json", None),
        ("a.json/1", None),
        ("a/1.AAE", "side_files"),
        ("a/labels.cache", "side_files"),
        ("a/README", "side_files"),
        ("Sha256Sums", "side_files"),
        ("license/1.jpg", None),
        ("a/readme.jpg", None),
        ("a/__pycache__/1", "litter"),
        ("b/x.jpg", "excluded"),
        ("b/sub/x.jpg", "excluded"),
        ("B/x.jpg", None),
    ],
)
def test_a_path(path, reason):
    assert Sieve(["b/*.jpg"]).sift(path) == reason


@pytest.mark.parametrize(
    ("pattern", "excluded"),
    [
        ("drafts", ["drafts/1.jpg", "drafts/a/b/2.jpg"]),
        ("*/drafts", ["cat/drafts/3.jpg"]),
        ("drafts/a", ["drafts/a/b/2.jpg"]),
        ("draft", []),
    ],
)
def test_a_pattern_of_folders(pattern, excluded):
    sieve = Sieve([pattern])
    paths = ["drafts/1.jpg", "drafts/a/b/2.jpg", "cat/drafts/3.jpg", "cat/4.jpg", "draftsman/5.jpg"]
    assert [path for path in paths if sieve.sift(path) == "excluded"] == excluded


def test_what_is_listed_by_hand_may_be_hidden():
    sieve = Sieve(hidden=False, side_files=False)
    assert [sieve.sift(path) for path in (".data/.1.jpg", "a/._1.jpg", "a/1.xml")] == [None, "litter", None]


def test_the_names_do_not_overlap():
    assert len({name.casefold() for name in LITTER}) == len(LITTER)
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SIDE_FILES)
    assert SIDE_FILES.isdisjoint({*IMAGE_ENDINGS, ""})


def test_patterns_that_match_nothing_are_told():
    sieve = Sieve(["a/*", "b/*"])
    sieve.sift("a/1.jpg")
    sieve.sift("c/1.jpg")
    assert sieve.findings() == [Finding("excluded", 1, ("a/* 1",)), Finding("exclude_nothing", 1, ("b/*",))]


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Returns a reader of the paths as files of a kind."""

    def make(kind: str, paths: tuple[str, ...], **settings) -> readers.Reader:
        for path in paths:
            (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "data" / path).write_bytes(path.encode())
        root = str(tmp_path / "data")
        if kind == "folder by Beam":
            monkeypatch.setattr(listing, "is_remote", lambda uri: True)
        if kind == "uris":
            (tmp_path / "data" / "list").write_text("".join(f"{path}\n" for path in paths))
            return readers.make_reader({"uris": f"{root}/list", "splits": SHARES, **settings})
        if kind == "manifest":
            rows = "".join(f"{path},{path.split('/')[-2]}\n" for path in paths)
            (tmp_path / "data" / "m.csv").write_text(f"path,label\n{rows}")
            return readers.make_reader({"manifest": f"{root}/m.csv", "splits": SHARES, **settings})
        return readers.make_reader({"folder": root, "splits": SHARES, **settings})

    return make


KINDS = pytest.mark.parametrize("kind", ["folder", "folder by Beam", "uris", "manifest"])


@KINDS
def test_litter_makes_no_labels_and_no_images(make, kind):
    table, labels, findings = make(kind, IMAGES + LITTERED).list_images()
    assert table["source_id"].to_pylist() == list(IMAGES)
    assert set(labels.names) == {"cat", "dog", "dog/sub" if "folder" in kind else "sub"}
    assert list(findings) == [LITTER_FINDING]


@KINDS
def test_files_beside_images_are_no_images_unless_a_table_says_so(make, kind):
    table, labels, findings = make(kind, IMAGES + BESIDE).list_images()
    assert len(labels) == 3
    if kind == "manifest":
        assert table["source_id"].to_pylist() == [*IMAGES, *BESIDE] and not findings
    else:
        assert table["source_id"].to_pylist() == list(IMAGES) and list(findings) == [SIDE_FINDING]


@KINDS
def test_what_is_excluded_makes_no_labels_and_is_counted(make, kind):
    table, labels, findings = make(kind, IMAGES, exclude=["*/sub/*", "cat/2*"]).list_images()
    assert table["source_id"].to_pylist() == ["cat/1.jpg", "dog/3.jpg"]
    assert labels.names == ("cat", "dog")
    assert list(findings) == [Finding("excluded", 2, ("*/sub/* 1", "cat/2* 1"))]


@KINDS
def test_nothing_but_litter_is_refused(make, kind):
    with pytest.raises(ValueError, match=r"names no image: .*@eaDir 2|has no class folders"):
        make(kind, LITTERED[:3]).list_images()


def test_record_files_that_a_star_matches(tmp_path):
    from components.example_gen.readers.tfrecords import TFRecordReader

    for name in ("train-1", "._train-1", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"")
    reader = TFRecordReader(tfrecords=f"{tmp_path}/*", splits=SHARES, compression="none")
    assert [path for _, path, _, _ in reader._files()] == [f"{tmp_path}/train-1"]


def test_record_files_in_folders_that_a_star_matches(tmp_path):
    from components.example_gen.readers.tfrecords import TFRecordReader

    for path in (".cache/a/1", ".cache/@eaDir/1", ".cache/.git/1", ".cache/b/Thumbs.db"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    reader = TFRecordReader(tfrecords=f"{tmp_path}/.cache/*/*", splits=SHARES, compression="none")
    assert [path for _, path, _, _ in reader._files()] == [f"{tmp_path}/.cache/a/1"]
