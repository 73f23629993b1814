"""The limits in SECURITY.md are those of the code."""

import pathlib
import re

from components.example_gen.images import check
from components.example_gen.readers import files
from pipeline.config.data import _Data

TEXT = (pathlib.Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")


def test_the_limits():
    rows = dict(re.findall(r"^\| (.*?) \| (.*) \|$", TEXT.partition("## Dependencies")[0], re.MULTILINE))
    default = _Data.model_fields["max_pixels"].default
    assert rows == {
        "limit": "value",
        "---": "---",
        "pixels (height × width), also of the tiles of a TIFF": (
            f"`max_pixels`: {default:,} by default, at most {check.MOST_PIXELS:,}"
        ),
        "size of an image file": f"{files._MOST_BYTES >> 30} GiB",
        "scans of a progressive JPEG": str(check._MOST_SCANS),
        "share of images that may be rejected": (
            f"`max_rejected`: {_Data.model_fields['max_rejected'].default:.0%} by default"
        ),
    }


def test_the_formats():
    (listed,) = re.findall(r"formats are decoded: (.*?)\.", TEXT, re.DOTALL)
    assert {name.lower() for name in re.split(r", | and ", listed)} == set(check.FORMATS)
