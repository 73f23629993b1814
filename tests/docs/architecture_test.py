"""The list of private APIs in docs/architecture.md agrees with the code and the tests that it names."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("## Private APIs")[1].split("\n## ")[0]


def rows() -> list[tuple[list[str], list[str], list[str]]]:
    """Returns the names, files and tests of each row."""
    cells = [line.strip("| ").split(" | ") for line in TABLE.splitlines() if line.startswith("| `")]
    return [tuple(re.findall(r"`([^`]+)`", row[column]) for column in (0, 2, 4)) for row in cells]


def foreign_names(path: pathlib.Path) -> set[str]:
    """Returns the private attributes that a module uses and does not define itself."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    own = {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    # `os._exit` is public in spite of its name.
    return {node.attr for node in attributes if re.match("_[^_]", node.attr)} - own - {"_exit"}


@pytest.mark.parametrize(("names", "files", "tests"), rows(), ids=lambda value: value[0].split("/")[-1])
def test_each_is_used_where_it_says_and_has_a_test(names, files, tests):
    for file in files:
        assert all(name in (ROOT / file).read_text(encoding="utf-8") for name in names)
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        defined = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.FunctionDef)]
        assert name in {node.name for node in defined}


def test_no_other_is_used():
    listed = {(name, file) for names, files, _ in rows() for name in names for file in files}
    packages = ("components", "pipeline", "schemas", "trainer")
    paths = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    used = {(name, path.relative_to(ROOT).as_posix()) for path in paths for name in foreign_names(path)}
    assert used <= listed
    overridden = {"_GetFnArgs", "_Validate", "_all_reduce_sum_gradients", "_run_executor"}  # look like the module's own
    assert {name for name, _ in listed - used if name.startswith("_")} == overridden
