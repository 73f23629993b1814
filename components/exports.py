"""What a package exports, imported when it is asked for (PEP 562): the package itself then costs nothing to import."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy(package: str, module_of: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Returns `__getattr__`, `__dir__` and `__all__` of a package.

    Args:
      package: its name.
      module_of: each name that it exports → the module that has it, under the same name.
    """
    names = sorted(module_of)

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(module_of[name]), name)

    return get, lambda: names, names
