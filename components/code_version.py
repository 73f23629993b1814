"""The version of the code behind a pipeline node, as a part of its cache key.

TFX caches on an executor's name, inputs and parameters, not on its code. Every node of ours therefore carries a hash of
the code that it runs: the module it starts from, and every module of this project that is imported from there.
"""

import ast
import functools
import hashlib
import importlib.util
import pathlib
from collections.abc import Iterator

_PACKAGES = ("components", "pipeline", "schemas", "trainer")


def code_version(module: str) -> str:
    """Returns 16 hex digits that change when the code behind `module` changes.

    What is hashed is the syntax tree without docstrings, so that words and layout do not count. Imports are followed as
    they are written (inside functions too); a module that is only reached by a name made at run time is not seen.

    Args:
      module: dotted name of a module of this project, for example 'components.predictor.executor'.

    Raises:
      ValueError: `module` is not a module of this project.
    """
    if _path(module) is None:
        raise ValueError(f"module: {module!r} is not a module of {', '.join(_PACKAGES)}")
    digest = hashlib.sha256()
    for name, syntax in sorted(_reachable(module).items()):
        digest.update(f"{name}\n{syntax}\n".encode())
    return digest.hexdigest()[:16]


def _reachable(module: str) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = _path(name)
        if path is not None:
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            found[name], imports = _parsed(path.read_text(encoding="utf-8"), package)
            waiting.extend(imports)
    return found


# The nodes of a pipeline run the same few modules, whose parsing would take a quarter of a second a node.
@functools.cache
def _parsed(text: str, package: str) -> tuple[str, tuple[str, ...]]:
    """Returns the syntax of a module in `package`, and what it imports."""
    tree = _without_docstrings(ast.parse(text))
    return ast.dump(tree), tuple(dict.fromkeys(_imports(tree, package)))


def _without_docstrings(tree: ast.Module) -> ast.Module:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield module
            # `from package import module` names a module, `from module import name` does not: _path tells them apart.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _path(module: str) -> pathlib.Path | None:
    """Returns the file of a module of this project; nothing is imported to find it."""
    package, *below = module.split(".")
    spec = importlib.util.find_spec(package) if package in _PACKAGES else None
    if spec is None:
        return None
    path = pathlib.Path(spec.submodule_search_locations[0], *below)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)
