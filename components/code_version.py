"""The version of the code behind a pipeline node, as a part of its cache key.

TFX caches on an executor's name, inputs and parameters, not on its code. Every node of this project therefore carries a
hash of the code that determines its output: the modules it starts from, and every module of this project that they
import.

The hash leaves out docstrings, error messages and logging. It also leaves out modules that set `_NOT_IN_CACHE_KEYS` at
their top, to the reason why they do not affect any output.
"""

import ast
import builtins
import functools
import hashlib
import importlib.util
import pathlib
from collections.abc import Iterator, Sequence

_NOT_IN_CACHE_KEYS = "a change of these rules changes the versions by itself"

_PACKAGES = ("components", "pipeline", "schemas", "trainer")
_LOGGERS = frozenset({"logging", "logger", "log", "_log"})
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})


def code_version(*modules: str, elsewhere: Sequence[str] = (), data: str = "") -> str:
    """Returns 16 hex digits that change when the code behind `modules` changes.

    It follows import statements, those inside functions too. It does not see a module whose name is made at run time;
    name that module as well.

    Args:
      modules: dotted names of modules of this project, for example 'components.predictor.executor'.
      elsewhere: dotted names of modules of the user's own packages. Their imports are followed within those packages.
      data: what the code reads, besides its inputs and parameters.

    Raises:
      ValueError: one of `modules` is not a module of this project, or one of `elsewhere` has no source file.
    """
    digest = hashlib.sha256()
    for name, syntax in sorted(_find_modules(modules, elsewhere).items()):
        digest.update(f"{name}\n{syntax}\n".encode())
    digest.update(data.encode())
    return digest.hexdigest()[:16]


def modules_behind(*modules: str) -> list[str]:
    """Returns the names of the modules whose code `code_version` hashes, sorted.

    Raises:
      ValueError: one of `modules` is not a module of this project.
    """
    return sorted(_find_modules(modules))


def hash_packages() -> str:
    """Returns 16 hex digits that are the same where all files of this project's packages are the same."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        root = _path(package)
        assert root is not None, f"{package} is a package of this project"
        for path in sorted(root.parent.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(root.parent).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _find_modules(modules: Sequence[str], elsewhere: Sequence[str] = ()) -> dict[str, str]:
    for module in modules:
        if _path(module) is None:
            raise ValueError(f"module: {module!r} is not a module of {', '.join(_PACKAGES)}")
    for module in elsewhere:
        if _file(module) is None:
            raise ValueError(f"module: {module!r} has no source file, by which a change of it would be seen")
    packages = {module.partition(".")[0] for module in elsewhere}
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [*modules, *elsewhere]
    while waiting:
        name = waiting.pop()
        path = _file(name) if name.partition(".")[0] in packages else _path(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        parsed = _parse(path.read_text(encoding="utf-8"), package)
        if parsed is not None:
            found[name], imports = parsed
            waiting.extend(imports)
    return found


# The nodes of a pipeline share most modules. To parse them again would take a quarter of a second per node.
@functools.cache
def _parse(text: str, package: str) -> tuple[str, tuple[str, ...]] | None:
    """Returns the syntax and the imports of a module in `package`, or None if it sets `_NOT_IN_CACHE_KEYS`."""
    tree = ast.parse(text)
    if any(isinstance(node, ast.Assign) and _is_marker(node.targets[0]) for node in tree.body):
        return None
    stripped = _MessageRemover().visit(tree)
    return ast.dump(stripped), tuple(dict.fromkeys(_imports(stripped, package)))


def _is_marker(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "_NOT_IN_CACHE_KEYS"


class _MessageRemover(ast.NodeTransformer):
    """Removes docstrings, error messages and logging."""

    def visit(self, node: ast.AST) -> ast.AST:
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        return super().visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        # Only Python's own errors: one of this project may hold output, such as the reason of a rejection.
        if isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name) and _is_error(node.exc.func.id):
            node.exc = node.exc.func
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _LOGGING and _root(called.value) in _LOGGERS:
            return ast.Pass()
        return self.generic_visit(node)


def _is_error(name: str) -> bool:
    found = getattr(builtins, name, None)
    return isinstance(found, type) and issubclass(found, Exception)


def _root(node: ast.expr) -> str | None:
    """Returns the first name of an expression: `a` of `a.b(c).d`."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else None


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield module
            # `from package import module` names a module, `from module import name` does not: `_path` finds out.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _path(module: str) -> pathlib.Path | None:
    """Returns the file of a module of this project, or None; imports nothing."""
    return _file(module) if module.partition(".")[0] in _PACKAGES else None


def _file(module: str) -> pathlib.Path | None:
    """Returns the source file of a module, or None; imports nothing."""
    package, *below = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        path = pathlib.Path(spec.origin or "")
        return path if not below and path.suffix == ".py" and path.is_file() else None
    path = pathlib.Path(spec.submodule_search_locations[0], *below)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)
