"""Packages that only some uses need: the extras of setup.py."""

import importlib.util

_NOT_IN_CACHE_KEYS = "it only finds out what is installed"


def require(extra: str, *modules: str) -> None:
    """Checks that what an extra installs is there, and imports nothing to find out.

    Args:
      extra: its name in setup.py, for example 'demo'.
      modules: top-level modules that it brings.

    Raises:
      ModuleNotFoundError: one of them is missing; the message names the extra.
    """
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise ModuleNotFoundError(f"{', '.join(missing)}: not installed; pip install 'specialist[{extra}]'")
