"""Listings: of this machine's folders, and of file systems that Beam knows."""

import os
import subprocess
import sys

import pytest

from components.example_gen.readers import listing
from components.example_gen.readers.listing import File
from components.example_gen.readers.sieve import Sieve


@pytest.fixture
def root(tmp_path):
    for path, size in {"b/2": 2, "a/c/3": 3, "a/.x": 9, ".y/4": 9, "1": 1}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
        os.utime(tmp_path / path, (1, 1_000_000_000 + size))
    return str(tmp_path)


@pytest.mark.parametrize("remote", [False, True], ids=["local", "by Beam"])
def test_what_is_below(root, remote, monkeypatch):
    if remote:  # as of an object store, whose files only Beam can list
        monkeypatch.setattr(listing, "is_remote", lambda uri: True)
    assert listing.list_files(root, Sieve()).files == [
        File("1", 1, 1_000_000_001 * 10**9),
        File("a/c/3", 3, 1_000_000_003 * 10**9),
        File("b/2", 2, 1_000_000_002 * 10**9),
    ]


def test_what_is_not_there(root, monkeypatch):
    with pytest.raises(ValueError, match="cannot be read"):
        listing.list_files(f"{root}/none", Sieve())
    monkeypatch.setattr(listing, "is_remote", lambda uri: True)
    with pytest.raises(ValueError, match=r"^folder: there is nothing below '.*none'$"):
        listing.list_files(f"{root}/none", Sieve())


@pytest.mark.parametrize("remote", [False, True], ids=["local", "by Beam"])
def test_descriptions_keep_the_order(root, remote, monkeypatch):
    if remote:
        monkeypatch.setattr(listing, "is_remote", lambda uri: True)
    uris = [f"{root}/{path}" for path in ("b/2", "none", "1", "b/none")]
    times = [(2, 1_000_000_002 * 10**9), (-1, 0), (1, 1_000_000_001 * 10**9), (-1, 0)]
    assert listing.describe_files(uris) == times


def test_a_name_that_is_no_text(tmp_path):
    (tmp_path / "ant").mkdir()
    os.close(os.open(os.fsencode(tmp_path / "ant") + b"/\xff.jpg", os.O_CREAT | os.O_WRONLY))
    (file,) = listing.list_files(str(tmp_path), Sieve()).files
    assert file == File("ant/\\udcff.jpg", 0, 0, "unreadable: its name is not UTF-8")


def test_a_locale_that_is_not_utf_8_is_named_as_the_cause(tmp_path):
    (tmp_path / "ant").mkdir()
    (tmp_path / "ant" / "ü.jpg").touch()
    code = f"""
from components.example_gen.readers import listing
from components.example_gen.readers.sieve import Sieve
(file,) = listing.list_files({str(tmp_path)!r}, Sieve()).files
print(file.refused)
"""
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.stdout == (
        "unreadable: file names are read as ascii, as the locale says; set LC_ALL=C.UTF-8 or PYTHONUTF8=1\n"
    )


@pytest.mark.parametrize(
    ("path", "leaves"),
    [("a", False), ("a/../b", False), ("..", True), ("a/../../b", True), ("..a/b", False), ("a/./b", False)],
)
def test_paths_that_leave(root, path, leaves):
    assert listing.find_escaping(root, [path, "a"]) == [leaves, False]
    assert listing.find_escaping("gs://bucket/x", [path]) == [leaves]


def test_links_that_leave(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "x").write_bytes(b"x")
    for name, to in {"file": outside / "x", "folder": outside, "inside": "b", "a/up": "..", "a/out": "../.."}.items():
        os.symlink(to, f"{root}/{name}")
    paths = ["file", "folder", "folder/x", "inside/2", "a/up/1", "a/out/1", "inside/../1", "folder/../x", "b/2"]
    assert listing.find_escaping(root, paths) == [True, True, True, False, False, True, False, True, False]
    assert listing.find_escaping(root, [*paths, "../x"], follow_links=True) == [False] * 9 + [True]


def test_fingerprints():
    assert listing.hash_entries(["a", 1]) == listing.hash_entries(iter(["a", 1])) != listing.hash_entries([1, "a"])
    assert listing.hash_entries([("a", "b")]) != listing.hash_entries(["a", "b"])
