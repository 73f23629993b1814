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
        ("storage.py", "import logging\ndef read():\n    logging.warning('%s', 2)\n    return 1"),
        ("storage.py", "import logging\ndef read():\n    logging.getLogger('a').info('b')\n    return 1"),
        ("storage.py", "def read():\n    if not 1:\n        raise ValueError(f'other {1}')\n    return 1"),
    ],
    ids=[
        "comment and layout",
        "docstring of a function",
        "docstring of a module that is imported",
        "comment and layout of an import",
        "a module that is not imported",
        "a new one",
        "what is logged",
        "what a logger of a name logs",
        "the message of an error",
    ],
)
def test_what_does_not_change_it(application, file, content):
    if "logging" in content:
        application("storage.py", "import logging\ndef read():\n    logging.error('one')\n    return 1")
    elif "ValueError" in content:
        application("storage.py", "def read():\n    if not 1:\n        raise ValueError('one')\n    return 1")
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


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("raise ValueError('one')", "raise TypeError('one')"),
        ("raise RefusedError('damaged', 'one')", "raise RefusedError('empty', 'one')"),
        ("raise ValueError('one')", "pass"),
        ("found = logging.getLevelName(1)", "found = logging.getLevelName(2)"),
        ("table.log(1)", "table.log(2)"),
        ("logging.info('one')", "pass"),
    ],
    ids=["kind of error", "an error of ours", "no error", "what is no logging", "no logger", "whether it logs"],
)
def test_what_is_more_than_words(application, before, after):
    versions = []
    for statement in (before, after):
        application("storage.py", f"import logging\ndef read(table):\n    {statement}\n")
        versions.append(version())
    assert (versions[0] == versions[1]) == (before == "logging.info('one')")


def test_a_module_that_decides_nothing_is_left_out_with_what_it_imports(application):
    application("storage.py", "_NOT_IN_CACHE_KEYS = 'a registry'\nfrom application import only_here\n")
    application("only_here.py", "ONE = 1")
    before = version()
    application("storage.py", "_NOT_IN_CACHE_KEYS = 'a registry'\nfrom application import only_here\nTWO = 2")
    application("only_here.py", "ONE = 2")
    assert version() == before
    assert {"application.storage", "application.only_here"}.isdisjoint(
        code_version.modules_behind("application.executor")
    )


def test_several_modules(application):
    both = code_version.code_version("application.early", "application.storage")
    assert both == code_version.code_version("application.storage", "application.early")
    assert both not in (version(), code_version.code_version("application.early"))
    assert code_version.modules_behind("application.late", "application.storage") == [
        "application.early",
        "application.late",
        "application.storage",
    ]


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


def test_modules_of_other_packages(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    for name, text in (("__init__", ""), ("first", "from elsewhere import second\nimport alone\n"), ("second", "")):
        (tmp_path / "elsewhere" / f"{name}.py").write_text(text)
    (tmp_path / "alone.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    def version(*modules: str, **more) -> str:
        return code_version.code_version("components.hashing", elsewhere=modules, **more)

    before, other = version("elsewhere.first"), version("alone")
    assert len({before, other, version(), version("elsewhere.first", data="of a preset")}) == 4
    (tmp_path / "alone.py").write_text("CHANGED = True")  # of another package than the first module
    assert version("elsewhere.first") == before
    assert version("alone") != other
    (tmp_path / "elsewhere" / "second.py").write_text("CHANGED = True")
    assert version("elsewhere.first") != before
    for module in ("nowhere", "elsewhere.third", "math"):
        with pytest.raises(ValueError, match=rf"^module: '{module}' has no source file"):
            version(module)
