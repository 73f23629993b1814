"""The steps of docs/data.md that make manifests, on small files of the published shape."""

import csv
import pathlib
import re

import pytest

from components.example_gen.readers.sieve import LITTER

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(name: str) -> list[list[str]]:
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if f"data/{name}" in code]
    exec(code, {})
    with open(f"data/{name}/manifest.csv", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_table_of_litter_is_that_of_the_code():
    table = TEXT[TEXT.index("| left by |") : TEXT.index("Files beside images")]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:] if line]
    named = {(who, name.replace("\\r", "\r")) for who, names in rows for name in re.findall(r"`(.*?)`", names)}
    assert named == {(origin.partition(": ")[0], name) for name, origin in LITTER.items()}


def test_aircraft():
    data = pathlib.Path("data/aircraft/fgvc-aircraft-2013b/data")
    for split, lines in {"train": "0056978 707-320\n", "val": "1025794 DC-9-30\n", "test": "0000007 F/A-18\n"}.items():
        write(data / f"images_variant_{split}.txt", lines)
    folder = "fgvc-aircraft-2013b/data/images"
    assert run("aircraft") == [
        ["path", "label", "split"],
        [f"{folder}/0056978.jpg", "707-320", "train"],
        [f"{folder}/1025794.jpg", "DC-9-30", "val"],
        [f"{folder}/0000007.jpg", "F/A-18", "test"],
    ]


def test_birdsnap():
    root = pathlib.Path("data/birdsnap")
    write(
        root / "species.txt",
        "id\tcommon\tscientific\tdir\n1\tBlue Jay\tCyanocitta cristata\tBlue_Jay\n2\tEmu\tx\tEmu\n",
    )
    rows = ["u\tm\tBlue_Jay/1.jpg\t1\t0", "u\tm\tEmu/2.jpg\t2\t0", "u\tm\tEmu/gone.jpg\t2\t0", "u\tm\tEmu/3.jpg\t2\t0"]
    write(root / "images.txt", "\n".join(["url\tmd5\tpath\tspecies_id\tbb_x1", *rows, ""]))
    write(root / "test_images.txt", "path\nEmu/2.jpg\n")
    for path in ("Blue_Jay/1.jpg", "Emu/2.jpg", "Emu/3.jpg"):
        write(root / "images" / path, "")
    assert run("birdsnap") == [
        ["path", "label", "split"],
        ["images/Blue_Jay/1.jpg", "Blue Jay", "train"],
        ["images/Emu/2.jpg", "Emu", "test"],
        ["images/Emu/3.jpg", "Emu", "train"],
    ]
