"""The base of everything typed that a user writes: no unknown keys, no silent conversions."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import pydantic


def did_you_mean(value: str, known: Iterable[str], shown: Callable[[str], str] = str) -> str:
    """Returns what an error says behind an unknown `value`: the nearest of the `known` ones, or nothing."""
    near = difflib.get_close_matches(value, known, n=1)
    return f" (did you mean {shown(near[0])}?)" if near else ""


class StrictModel(pydantic.BaseModel):
    """A frozen model whose error for an unknown key names the known ones.

    Attributes:
      renamed: earlier names of keys → what they are called now.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    model_config = pydantic.ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key in cls.renamed:
                    raise ValueError(f"unknown key {key!r}; it is called {cls.renamed[key]!r} now")
                if key not in cls.model_fields:
                    hint = did_you_mean(str(key), cls.model_fields, repr)
                    allowed = ", ".join(cls.model_fields) or "none"
                    raise ValueError(f"unknown key {key!r}{hint}; allowed are {allowed}")
        return value
