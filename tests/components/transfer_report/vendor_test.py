import hashlib
import pathlib
import re

import components.transfer_report

FOLDER = pathlib.Path(components.transfer_report.__file__).parent / "vendor"


def test_files_are_those_that_are_listed():
    rows = re.findall(r"^\| `([^`]+)` \|.*`([0-9a-f]{64})` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    listed = {name: digest for name, digest in rows}
    found = {
        str(path.relative_to(FOLDER)): hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.rglob("*.min.*")
    }
    assert listed == found and len(found) == 2


def test_each_package_has_its_licence():
    assert all((path / "LICENSE").stat().st_size > 500 for path in FOLDER.iterdir() if path.is_dir())
