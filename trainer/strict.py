"""The base of everything typed that a user writes: no unknown keys, no silent conversions."""

import difflib
from typing import Any

import pydantic


class Strict(pydantic.BaseModel):
    """A frozen model whose error for an unknown key names the known ones."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, dict):
            for key in value:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
                    hint = f" (did you mean {near[0]!r}?)" if near else ""
                    allowed = ", ".join(cls.model_fields) or "none"
                    raise ValueError(f"unknown key {key!r}{hint}; allowed are {allowed}")
        return value
