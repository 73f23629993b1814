"""The base model of everything that a user configures: no unknown keys, no silent conversions."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import pydantic


def did_you_mean(value: str, known: Iterable[str], show: Callable[[str], str] = str) -> str:
    """Returns a hint for an error about an unknown `value`: the most similar `known` one, or an empty string."""
    near = difflib.get_close_matches(value, known, n=1)
    return f" (did you mean {show(near[0])}?)" if near else ""


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
