"""Folders: labels, hierarchy, splits, what is not looked at, and what is refused."""

import re
import sys

import pytest

from components.artifacts.findings import Finding
from components.example_gen import readers
from components.example_gen.readers import listing
from components.example_gen.readers.folder import FolderReader
from components.example_gen.readers.sieve import Sieve

SHARES = {"train": 0.5, "eval": 0.5}


@pytest.fixture
def tree(tmp_path):
    def make(*paths: str) -> str:
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(path.encode())
        return str(tmp_path)

    return make


def list_images(folder: str, splits=SHARES) -> tuple[dict[str, tuple], tuple]:
    """Returns id → (label name, own split), and the vocabulary's names and parents."""
    table, labels, _ = FolderReader(folder=folder, splits=splits).list_images()
    rows = {row["source_id"]: (labels.names[row["labels"][0]], row["split"]) for row in table.to_pylist()}
    return rows, (labels.names, labels.parents)


def test_a_folder_a_class(tree):
    rows, labels = list_images(tree("owl/1.jpg", "owl/deep.png", "Ant/1.jpg", "ä b/x"))
    assert rows == {
        "owl/1.jpg": ("owl", None),
        "owl/deep.png": ("owl", None),
        "Ant/1.jpg": ("Ant", None),
        "ä b/x": ("ä b", None),
    }
    assert labels == (("Ant", "owl", "ä b"), ((), (), ()))


def test_folders_in_folders_are_the_hierarchy(tree):
    rows, (names, parents) = list_images(tree("bird/owl/barn/1", "bird/owl/2", "bird/3", "cat/other/4", "dog/other/5"))
    assert {source_id: label for source_id, (label, _) in rows.items()} == {
        "bird/owl/barn/1": "bird/owl/barn",
        "bird/owl/2": "bird/owl",
        "bird/3": "bird",
        "cat/other/4": "cat/other",
        "dog/other/5": "dog/other",
    }
    assert dict(zip(names, parents, strict=True)) == {
        "bird": (),
        "bird/owl": ("bird",),
        "bird/owl/barn": ("bird/owl", "bird"),
        "cat/other": ("cat",),
        "dog/other": ("dog",),
    }


def test_splits_of_the_folders_own(tree):
    folder = tree("train/ant/1", "train/bee/2", "val/bee/3", "val/cow/4", "unused/dog/5", "val/readme.txt")
    rows, (names, _) = list_images(folder, {"train": "train", "eval": "val[:50%]", "test": "val[50%:]"})
    assert rows == {
        "train/ant/1": ("ant", "train"),
        "train/bee/2": ("bee", "train"),
        "val/bee/3": ("bee", "val"),
        "val/cow/4": ("cow", "val"),
    }
    assert names == ("ant", "bee", "cow")


def test_splits_are_pooled_if_there_are_shares(tree):
    folder = tree("Training/ant/1", "Training/bee/2", "TEST/ant/1", "other/3", "more/cow/4", "loose")
    rows, (names, _) = list_images(folder)
    assert rows == {
        "TEST/ant/1": ("ant", None),
        "Training/ant/1": ("ant", None),
        "Training/bee/2": ("bee", None),
    }
    assert names == ("ant", "bee")
    assert FolderReader(folder=folder, splits=SHARES).list_images().findings == [
        Finding("pooled", 2, ("TEST", "Training")),
        Finding("unused_folders", 2, ("more 1", "other 1")),
        Finding("stray_others", 1, ("loose",)),
    ]


@pytest.mark.parametrize(
    ("paths", "splits", "found"),
    [
        (
            ("seg_train/seg_train/ant/1", "seg_train/seg_train/bee/2", "seg_test/seg_test/bee/3"),
            {"train": "seg_train", "eval": "seg_test"},
            {
                "seg_train/seg_train/ant/1": ("ant", "seg_train"),
                "seg_train/seg_train/bee/2": ("bee", "seg_train"),
                "seg_test/seg_test/bee/3": ("bee", "seg_test"),
            },
        ),
        (
            ("training_set/training_set/ant/1", "test_set/test_set/bee/2"),
            SHARES,
            {"training_set/training_set/ant/1": ("ant", None), "test_set/test_set/bee/2": ("bee", None)},
        ),
        (
            ("train/train/steam/1", "train/train/diesel/2", "val/train/steam/3"),
            {"train": "train", "eval": "val"},
            {
                "train/train/steam/1": ("train/steam", "train"),
                "train/train/diesel/2": ("train/diesel", "train"),
                "val/train/steam/3": ("train/steam", "val"),
            },
        ),
        (
            ("images/train/ant/1", "images/train/bee/2", "images/val/ant/3", "images/more/cow/4", "other/5"),
            {"train": "images/train", "eval": "images/val"},
            {
                "images/train/ant/1": ("ant", "images/train"),
                "images/train/bee/2": ("bee", "images/train"),
                "images/val/ant/3": ("ant", "images/val"),
            },
        ),
    ],
    ids=["doubled", "doubled and pooled", "a node that is called like a split", "paths"],
)
def test_where_the_class_folders_of_a_split_are(tree, paths, splits, found):
    rows, (names, _) = list_images(tree(*paths), splits)
    assert (rows, names) == (found, tuple(sorted({label for label, _ in found.values()})))


def test_folders_beside_the_paths_of_splits_are_told(tree):
    folder = tree("in/train/ant/1", "in/val/ant/2", "in/more/cow/3", "in/more/4", "other/5", "in/6.png", "trainer/7")
    reader = FolderReader(folder=folder, splits={"train": "in/train", "eval": "in/val"})
    assert reader.list_images().findings == [
        Finding("unused_folders", 4, ("in/more 2", "other 1", "trainer 1")),
        Finding("stray_files", 1, ("in/6.png",)),
    ]


def test_an_image_beside_the_class_folders_of_splits_does_not_make_them_classes(tree):
    beside = ("train/all.png", "val/all.png", "val/info.bin")
    folder = tree("train/ant/1", "train/bee/2", "val/ant/3", "val/ant/4", "val/bee/5", *beside)
    found = FolderReader(folder=folder, splits=SHARES).list_images()
    assert found.labels.names == ("ant", "bee")
    assert found.findings == [
        Finding("pooled", 2, ("train", "val")),
        Finding("stray_files", 2, ("train/all.png", "val/all.png")),
        Finding("stray_others", 1, ("val/info.bin",)),
    ]


@pytest.mark.parametrize(
    ("paths", "like_splits"),
    [
        (("data/train/ant/1", "data/train/bee/2", "data/val/ant/3", "data/val/bee/4"), ("data/train", "data/val")),
        (("cat/Train/1", "cat/test/2", "dog/Train/3", "dog/a/4"), ("cat/Train", "cat/test")),
        (("vehicle/train/1", "vehicle/car/2", "exam/test/3", "exam/oral/4"), ()),
    ],
    ids=["in a folder", "in the classes", "classes"],
)
def test_split_folders_further_down_are_told(tree, paths, like_splits):
    found = FolderReader(folder=tree(*paths), splits=SHARES).list_images().findings
    assert found == ([Finding("split_like", 2, like_splits)] if like_splits else [])


@pytest.mark.parametrize(
    ("paths", "inner"),
    [
        (("Covid/images/1", "Covid/masks/2", "Normal/masks/3", "Normal/images/4"), ("images", "masks")),
        (("Covid/images/1", "Covid/masks/2", "Normal/images/3"), ()),
        (("bird/owl/1", "bird/wren/2", "fish/cod/3", "fish/eel/4"), ()),
        (("bird/owl/1", "bird/wren/2"), ()),
        (("owl/1", "wren/2"), ()),
    ],
    ids=["in all", "not in all", "others", "one class", "no folders in folders"],
)
def test_several_folders_that_every_class_has_are_told(tree, paths, inner):
    found = FolderReader(folder=tree(*paths), splits=SHARES).list_images().findings
    assert found == ([Finding("in_every_class", 2, inner)] if inner else [])


def test_folders_beside_the_splits_are_told(tree):
    folder = tree("Training/ant/1", "Test/ant/2", "test-multiple/3", "test-multiple/4", "val/bee/5")
    reader = FolderReader(folder=folder, splits={"train": "Training", "eval": "Test"})
    table, labels, found = reader.list_images()
    assert (table["source_id"].to_pylist(), labels.names) == (["Test/ant/2", "Training/ant/1"], ("ant",))
    assert found == [Finding("unused_folders", 3, ("test-multiple 2", "val 1"))]


@pytest.mark.parametrize(
    ("paths", "labels", "like_splits"),
    [
        (("train/1", "car/2", "bus/3"), ("bus", "car", "train"), ()),
        (("train/1", "test/2", "car/3"), ("car", "test", "train"), ("test", "train")),
        (("train/1", "train/ice/2", "test/a/3", "car/4"), ("car", "test/a", "train", "train/ice"), ("test", "train")),
        (("dev/a/1", "model/a/2", "model/b/3"), ("dev/a", "model/a", "model/b"), ("dev",)),
    ],
    ids=["a class", "two classes", "a class with classes", "one split"],
)  # fmt: skip
def test_a_folder_that_is_only_called_like_a_split_is_a_label(tree, paths, labels, like_splits):
    _, found, findings = FolderReader(folder=tree(*paths), splits=SHARES).list_images()
    assert found.names == labels
    assert [each.examples for each in findings if each.kind == "split_like"] == ([like_splits] if like_splits else [])


@pytest.mark.parametrize(
    ("paths", "labels"),
    [
        (("train/n1/images/1", "train/n2/images/2", "val/images/3", "val/n1/4"), ("images", "n1", "n2")),
        (("train/n1/images/1", "train/n2/images/2", "val/n1/images/3", "val/n3/images/4"), ("n1", "n2", "n3")),
        (("train/n1/x/images/1", "train/n2/x/images/2", "val/n1/x/images/3"), ("n1", "n2")),
        (("train/n1/images/1", "train/n2/2", "val/n1/images/3"), ("n1/images", "n2")),
        (("train/n1/a/1", "train/n2/b/2", "val/n1/a/3"), ("n1/a", "n2/b")),
        (("train/images/n1/1", "train/images/n2/2", "val/images/n1/3"), ("images/n1", "images/n2")),
    ],
    ids=["tiny imagenet", "in all splits", "two of them", "not in all classes", "different ones", "above the classes"],
)
def test_a_folder_that_all_classes_of_train_share_is_no_part_of_their_labels(tree, paths, labels):
    _, (names, _) = list_images(tree(*paths), {"train": "train", "eval": "val"})
    assert names == labels


@pytest.mark.parametrize("remote", [False, True], ids=["local", "by Beam"])
def test_folders_without_an_image_are_told(tree, tmp_path, monkeypatch, remote):
    folder = tree("train/ant/1", "train/bee/notes.txt", "train/dog/drafts/1", "val/ant/2", "other/cow/notes.txt")
    for path in ("train/cow/deep/deeper", "train/.cache", "val/@eaDir/x"):
        (tmp_path / path).mkdir(parents=True)
    if remote:  # which shows no folders
        monkeypatch.setattr(listing, "is_remote", lambda uri: True)
    reader = FolderReader(folder=folder, splits={"train": "train", "eval": "val"}, exclude=["*/drafts/*"])
    empty = [found for found in reader.list_images().findings if found.kind == "empty_folders"]
    names = ("train/bee",) if remote else ("train/bee", "train/cow")
    assert empty == [Finding("empty_folders", len(names), names)]


def test_hidden_files_and_those_of_no_class_are_not_looked_at(tree):
    folder = tree(
        "ant/1", "ant/.1.swp", "ant/Thumbs.db", ".git/x", "__MACOSX/ant/1", "readme.txt", "labels.csv", "loose.png"
    )
    assert set(list_images(folder)[0]) == {"ant/1"}
    assert FolderReader(folder=folder, splits=SHARES).list_images().findings == [
        Finding("stray_files", 1, ("loose.png",)),
        Finding("litter", 4, (".* 2", "Thumbs.db 1", "__MACOSX 1")),
        Finding("side_files", 2, (".csv 1", ".txt 1")),
    ]


def test_links_that_stay_are_followed_and_others_refused(tree, tmp_path_factory, tmp_path):
    outside = tmp_path_factory.mktemp("outside") / "x"
    outside.write_bytes(b"x")
    folder = tree("ant/1", "bee/2")
    (tmp_path / "bee" / "in").symlink_to("../ant/1")
    (tmp_path / "bee" / "out").symlink_to(outside)
    (tmp_path / "bee" / "loop").symlink_to(tmp_path)
    table, _, _ = FolderReader(folder=folder, splits=SHARES).list_images()
    refused = {row["source_id"]: row["refused"] for row in table.to_pylist()}
    assert refused == {
        "ant/1": None,
        "bee/2": None,
        "bee/in": None,
        "bee/out": "outside_root: a symbolic link out of the folder",
        "bee/loop": "outside_root: a symbolic link to a folder",
    }


def test_links_into_a_store_are_followed_if_asked_for(tree, tmp_path_factory, tmp_path):
    store = tmp_path_factory.mktemp("store")
    for i in range(7):  # as many folders as there are files, as DVC has them
        (store / f"0{i}").mkdir()
        (store / f"0{i}" / "hash").write_bytes(b"x" * (i + 1))
    (store / "wren").mkdir()
    (store / "wren" / "9").write_bytes(b"wren")
    folder = tree("ant/1", "bee/2")
    for i in range(7):
        (tmp_path / "ant" / f"link{i}").symlink_to(store / f"0{i}" / "hash")
    (tmp_path / "wren").symlink_to(store / "wren")
    (tmp_path / "bee" / "same").symlink_to("../ant/1")
    reader = FolderReader(folder=folder, splits=SHARES, follow_links=True)
    found = reader.list_images()
    rows = {row["source_id"]: row for row in found.table.to_pylist()}
    assert set(rows) == {"ant/1", "bee/2", "bee/same", "wren/9", *(f"ant/link{i}" for i in range(7))}
    assert [rows[f"ant/link{i}"]["bytes"] for i in range(7)] == [1, 2, 3, 4, 5, 6, 7]
    assert found.labels.names == ("ant", "bee", "wren")
    assert not any(row["refused"] for row in rows.values())
    assert found.findings == [Finding("linked", 8, (f"{store} 7", f"{store.parent} 1"))]
    before = reader.fingerprint()
    (store / "03" / "hash").write_bytes(b"another")
    assert reader.fingerprint() != before


def test_a_link_to_itself_is_set_aside_alone(tree, tmp_path):
    folder = tree("ant/1", "bee/2")
    (tmp_path / "ant" / "loop").symlink_to(tmp_path / "ant" / "loop")
    (tmp_path / "ant" / "nowhere").symlink_to(tmp_path / "nothing")
    found = FolderReader(folder=folder, splits=SHARES, follow_links=True).list_images()
    refused = {row["source_id"]: row["refused"] for row in found.table.to_pylist()}
    assert refused == {
        "ant/1": None,
        "bee/2": None,
        "ant/loop": "unreadable: Too many levels of symbolic links",
        "ant/nowhere": "unreadable: No such file or directory",
    }
    assert found.findings == []


@pytest.mark.parametrize("direct", [True, False], ids=["to a folder above", "by way of a folder outside"])
def test_links_that_lead_in_circles_are_refused(tree, tmp_path_factory, tmp_path, direct):
    folder = tree("ant/1", "bird/owl/2")
    if direct:
        (tmp_path / "bird" / "owl" / "up").symlink_to(tmp_path / "bird")
        where = "bird/owl/up"
    else:
        outside = tmp_path_factory.mktemp("outside")
        (outside / "back").symlink_to(tmp_path / "bird")
        (tmp_path / "bird" / "away").symlink_to(outside)
        where = "bird/away/back"
    with pytest.raises(ValueError, match=f"^folder: '{where}' in .* a link to a folder that it is in; put"):
        FolderReader(folder=folder, splits=SHARES, follow_links=True).list_images()


@pytest.mark.parametrize(
    ("where", "splits"),
    [("owl", SHARES), ("train", {"train": "train", "eval": "val"}), ("val/owl", {"train": "train", "eval": "val"})],
    ids=["class", "split", "class of a split"],
)
def test_a_class_that_is_a_link_is_not_lost_without_a_word(tree, tmp_path_factory, tmp_path, where, splits):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    folder = tree("train/ant/1", "val/ant/2") if splits is not SHARES else tree("ant/1", "bee/2")
    if where == "train":
        (tmp_path / "train").rename(tmp_path / "other")
    (tmp_path / where).symlink_to(elsewhere)
    with pytest.raises(ValueError, match=f"^folder: '{where}' in .* cannot be taken: a symbolic link to a folder; put"):
        FolderReader(folder=folder, splits=splits).list_images()


def test_a_class_of_a_doubled_split_that_is_a_link(tree, tmp_path_factory, tmp_path):
    folder = tree("train/train/ant/1", "train/train/bee/2", "val/val/ant/3")
    (tmp_path / "val/val/bee").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(ValueError, match=r"^folder: 'val/val/bee' in .* cannot be taken: a symbolic link to a folder"):
        FolderReader(folder=folder, splits={"train": "train", "eval": "val"}).list_images()


def test_a_folder_that_cannot_be_read_ends_it(tree, monkeypatch):
    folder = tree("ant/1", "bird/owl/2", "bird/wren/3")
    scandir = listing.os.scandir

    def refusing(path):
        if path.endswith("owl"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", refusing)
    with pytest.raises(ValueError, match=r"^folder: 'bird/owl' in .* cannot be taken: Permission denied; put"):
        FolderReader(folder=folder, splits=SHARES).list_images()


def test_links_below_a_class_make_no_label(tree, tmp_path_factory, tmp_path):
    folder = tree("ant/1", "bird/owl/2")
    (tmp_path / "bird" / "wren").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    table, labels, _ = FolderReader(folder=folder, splits=SHARES).list_images()
    assert labels.names == ("ant", "bird/owl")
    (row,) = (row for row in table.to_pylist() if row["source_id"] == "bird/wren")
    assert (row["labels"], row["refused"]) == ([], "outside_root: a symbolic link to a folder")


def test_notes_are_no_images_and_make_no_label(tree):
    folder = tree("bird/notes.TXT", "bird/owl/1", "bird/owl/about.txt", "fish/list.csv")
    rows, (names, _) = list_images(folder)
    assert (set(rows), names) == ({"bird/owl/1"}, ("bird/owl",))
    assert FolderReader(folder=folder, splits=SHARES).list_images().findings == [
        Finding("empty_folders", 1, ("fish",)),
        Finding("side_files", 3, (".txt 2", ".csv 1")),
    ]


def test_folders_may_be_nested_deeper_than_calls(tmp_path):
    deep = tmp_path
    for _ in range(300):  # the path of a file has 4096 bytes at most
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "1.png").touch()
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(220)
        (file,) = listing.list_files(str(tmp_path), Sieve()).files
    finally:
        sys.setrecursionlimit(limit)
    assert file.path == "d/" * 300 + "1.png"


def test_the_folder_itself_may_be_a_link(tree, tmp_path_factory):
    link = tmp_path_factory.mktemp("links") / "data"
    link.symlink_to(tree("ant/1"))
    table, _, _ = FolderReader(folder=str(link), splits=SHARES).list_images()
    assert table.to_pylist()[0]["refused"] is None


def test_parts_are_two_at_least_and_hold_every_file_once(tree, tmp_path_factory, monkeypatch):
    folder = tree(*(f"ant/{i}" for i in range(11)))
    dataset = FolderReader(folder=folder, splits=SHARES)
    for most, count in ((4096, 2), (3, 4)):
        monkeypatch.setattr("components.example_gen.readers.files._PART_FILES", most)
        contents = dataset.open(str(tmp_path_factory.mktemp("work")))
        assert len(contents.parts) == count
        read = [example.source_id for part in contents.parts for example in dataset.read(part)]
        assert sorted(read) == sorted(f"ant/{i}" for i in range(11))
    assert contents.sizes == {"train": 28, "eval": 28}  # half each of 10 × 5 + 1 × 6 bytes


@pytest.mark.parametrize(
    ("paths", "splits", "message"),
    [
        (
            ["train/ant/1", "test/ant/2"],
            {"train": "train", "eval": "val"},
            r"splits\.eval: .* has no folder 'val' with",
        ),
        (["train/ant/1", "val/2"], {"train": "train", "eval": "val"}, r"no folder 'val' .*; its folders are train"),
        (
            ["data/train/ant/1", "data/val/ant/2"],
            {"train": "train", "eval": "val"},
            r"^splits\.train: .* no folder 'train' .*; its folders are data; if it is data/train, name that path in",
        ),
        (["train/1", "test/2"], SHARES, r"^folder: all folders in .* are called like splits \(test, train\)"),
        (["Train/ant/1", "Train/bee/2", "test/3"], SHARES, r"^folder: all folders in .* like splits \(Train, test\)"),
        (["1.jpg", "2.jpg"], SHARES, r"folder: .* has no class folders; images have to be in a folder a class"),
    ],
    ids=["no such split", "split without classes", "split in a folder", "flat splits", "a flat split", "no classes"],
)
def test_what_is_refused(tree, paths, splits, message):
    with pytest.raises(ValueError, match=message):
        list_images(tree(*paths), splits)


@pytest.mark.parametrize(
    ("exclude", "splits"),
    [("val/*", {"train": "train", "eval": "val"}), ("*", SHARES)],
    ids=["all of a split", "all"],
)
def test_what_exclude_empties_is_refused_with_its_name(tree, exclude, splits):
    folder = tree("train/ant/1", "train/bee/2", "val/ant/3", "val/bee/4", "val/bee/5")
    count = 3 if splits != SHARES else 5
    with pytest.raises(ValueError, match=rf"; exclude leaves out {count} files \({re.escape(exclude)} {count}\)$"):
        FolderReader(folder=folder, splits=splits, exclude=[exclude]).list_images()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"folder: '.*nowhere' cannot be read \(No such file or directory\)"):
        FolderReader(folder=str(tmp_path / "nowhere"), splits=SHARES).fingerprint()


def test_the_fingerprint_sees_names_sizes_and_times(tree, tmp_path):
    folder = tree("ant/1", "bee/2")
    dataset = FolderReader(folder=folder, splits=SHARES)
    found = [dataset.fingerprint()]
    for change in (
        lambda: tree("bee/3"),
        lambda: (tmp_path / "bee/3").rename(tmp_path / "ant/3"),
        lambda: (tmp_path / "ant/1").write_bytes(b"longer than before"),
        lambda: (tmp_path / "ant/3").unlink(),
        lambda: tree("loose.png"),
        lambda: (tmp_path / "cow").mkdir(),
    ):
        change()
        found.append(dataset.fingerprint())
        assert dataset.fingerprint() == found[-1]
    assert len(set(found)) == 7


def test_without_splits_all_images_are_one_set_without_labels(tree):
    folder = tree("1.jpg", "train/owl/2.jpg", "test/owl/2.jpg", "notes.txt", ".hidden/3.jpg")
    reader = FolderReader(folder=folder)
    assert not reader.is_labelled() and FolderReader(folder=folder, splits=SHARES).is_labelled()
    table, labels, _ = reader.list_images()
    assert labels.names == ("unlabelled",)
    rows = {row["source_id"]: (row["labels"], row["split"]) for row in table.to_pylist()}
    assert rows == dict.fromkeys(["1.jpg", "test/owl/2.jpg", "train/owl/2.jpg"], ([0], None))
    before = reader.fingerprint()
    tree("4.jpg")
    assert reader.fingerprint() != before


def test_without_splits_it_survives_what_readers_are_written_as(tree):
    reader = FolderReader(folder=tree("1.jpg"))
    assert readers.loads(readers.dumps(reader)) == reader
    assert readers.make_reader(reader.model_dump()) == reader


def test_a_folder_without_images_is_refused_without_splits_too(tree):
    with pytest.raises(ValueError, match=r"^folder: .* has no images"):
        FolderReader(folder=tree("notes.txt")).list_images()


def test_train_alone_is_refused_if_it_is_a_part(tree):
    for splits in ({"train": 0.9}, {"train": "train"}, {}):
        with pytest.raises(ValueError, match=r"lacks eval|lacks eval and train"):
            FolderReader(folder=tree("owl/1.jpg"), splits=splits)
