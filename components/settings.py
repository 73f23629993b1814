"""The base model of everything that a user configures: no unknown keys, no silent conversions; and paths."""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar

import pydantic


def did_you_mean(value: str, known: Iterable[str], show: Callable[[str], str] = str) -> str:
    """Returns a hint for an error about an unknown `value`: the most similar `known` one, or an empty string."""
    near = difflib.get_close_matches(value, known, n=1)
    return f" (did you mean {show(near[0])}?)" if near else ""


def expand_path(path: str) -> str:
    """Returns `path` with its leading ~ and its $VARIABLES expanded, as a shell does; what exists is taken as it is.

    Raises:
      ValueError: a variable is not set, or there is no such user.
    """
    if os.path.lexists(path):  # a shell has expanded it before
        return path
    expanded = os.path.expandvars(os.path.expanduser(path))
    if missing := re.search(r"\$(\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)|^~[^/]*", expanded):
        what = "no user has this home" if missing[0].startswith("~") else "this variable is not set"
        raise ValueError(f"{path!r} has {missing[0]}, but {what}; set it, or write the path out")
    return expanded


def expand_argument(name: str, path: str) -> str:
    """As `expand_path`; the error names the argument."""
    try:
        return expand_path(path)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


PathText = Annotated[str, pydantic.AfterValidator(expand_path)]


class StrictModel(pydantic.BaseModel):
    """A frozen model whose error for an unknown key names the known ones.

    Attributes:
      renamed: former name of a key → its name now.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    model_config = pydantic.ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key in cls.renamed:
                    raise ValueError(f"unknown key {key!r}; it is called {cls.renamed[key]!r} now")
                if key not in cls.model_fields:
                    hint = did_you_mean(str(key), cls.model_fields, repr)
                    allowed = ", ".join(cls.model_fields) or "none"
                    raise ValueError(f"unknown key {key!r}{hint}; allowed are {allowed}")
        return value
