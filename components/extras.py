"""Packages that only some uses need: the extras of setup.py."""

import importlib.util

_NOT_IN_CACHE_KEYS = "it only checks what is installed"


def require(extra: str, *modules: str) -> None:
    """Checks that the packages of an extra are installed, without importing them.

    Args:
      extra: its name in setup.py, for example 'demo'.
      modules: the top-level modules of its packages.

    Raises:
      ModuleNotFoundError: a module is missing; the message names the extra.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ModuleNotFoundError(f"{', '.join(missing)}: not installed; pip install 'specialist[{extra}]'")
