"""Which changes of the code change its version."""

import importlib
import sys
import textwrap

import pytest

from components import code_version

FILES = {
    "__init__.py": "",
    "executor.py": """
        import json
        from application import storage
        from application.maths.priors import mean

        def run(values):
            from application.late import finish
            return finish(mean(values))
    """,
    "storage.py": "def read(): return 1",
    "late.py": "from .early import start\ndef finish(x): return x",
    "early.py": "def start(x): return x",
    "maths/__init__.py": "from . import constants",
    "maths/constants.py": "ONE = 1",
    "maths/priors.py": "def mean(values): return sum(values) / len(values)",
    "other.py": "import application.executor",
}


@pytest.fixture
def application(tmp_path, monkeypatch):
    """A function (file, its new content) that changes the package `application`."""
    monkeypatch.setattr(code_version, "_PACKAGES", ("application",))
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, content: str) -> None:
        path = tmp_path / "application" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content), encoding="utf-8")

    for name, content in FILES.items():
        write(name, content)
    importlib.invalidate_caches()
    return write


def version() -> str:
    return code_version.code_version("application.executor")


def test_sixteen_hex_digits_that_stay(application):
    assert len(version()) == 16 and int(version(), 16) >= 0
    assert version() == version()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (
            "executor.py",
            "        # A comment first.\n" + FILES["executor.py"].replace("import json", "import  json  # why"),
        ),
        ("executor.py", FILES["executor.py"].replace("values):", 'values):\n            """Says what it is for."""')),
        ("early.py", '"""About the module."""\n' + FILES["early.py"]),
        ("storage.py", "def read():  # one\n\n    return (\n        1\n    )\n"),
        ("other.py", "import application.executor\nprint('changed')"),
        ("new.py", "print('new')"),
    ],
    ids=[
        "comment and layout",
        "docstring of a function",
        "docstring of a module that is imported",
        "comment and layout of an import",
        "a module that is not imported",
        "a new one",
    ],
)
def test_what_does_not_change_it(application, file, content):
    before = version()
    application(file, content)
    assert version() == before


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("executor.py", FILES["executor.py"].replace("finish(mean(values))", "finish(mean(values)) + 1")),
        ("storage.py", "def read(): return 2"),
        ("maths/priors.py", "def mean(values): return 0"),
        ("late.py", "from .early import start\ndef finish(x): return -x"),
        ("early.py", "def start(x): return -x"),
        ("maths/__init__.py", "from . import constants\nTWO = 2"),
        ("maths/constants.py", "ONE = 1.0"),
    ],
    ids=[
        "itself",
        "module of a package",
        "name of a module",
        "inside a function",
        "relative",
        "package",
        "relative module of a package",
    ],
)
def test_what_changes_it(application, file, content):
    # `maths` itself is reached by its name only.
    application("storage.py", "import application.maths\n" + FILES["storage.py"])
    before = version()
    application(file, content)
    assert version() != before


def test_the_same_code_in_another_module_is_another_version(application):
    application("twin.py", FILES["early.py"])
    assert code_version.code_version("application.twin") != code_version.code_version("application.early")


def test_circles_end(application):
    application("early.py", "import application.executor\ndef start(x): return x")
    assert version() == version()


def test_nothing_is_imported_to_see_it(application):
    application("late.py", "raise SystemExit('was run')")
    application("storage.py", "raise SystemExit('was run')")
    version()
    assert [name for name in sys.modules if name.split(".")[0] == "application"] == []


@pytest.mark.parametrize(
    "module", ["numpy", "application.nothing", "application.storage.read", "Application", "nothing", ""]
)
def test_not_a_module_of_the_project(application, module):
    with pytest.raises(ValueError, match=rf"^module: '{module}' is not a module of application$"):
        code_version.code_version(module)


def test_this_project(monkeypatch):
    executor = code_version.code_version("components.predictor.executor")
    assert executor == code_version.code_version("components.predictor.executor")
    assert executor != code_version.code_version("components.example_gen.executor")
    with pytest.raises(
        ValueError, match=r"^module: 'numpy' is not a module of components, pipeline, schemas, trainer$"
    ):
        code_version.code_version("numpy")
