import re
import sys

import pytest

from components import extras
from components.example_gen.builders.handwritten_digits import HandwrittenDigits
from components.example_gen.builders.printed_glyphs import PrintedGlyphs
from components.importance_resampler import matchers


def test_what_is_there_is_enough():
    extras.require("demo", "numpy", "json")


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"^scipy, nowhere: not installed; pip install 'specialist\[maths\]'$"
    ):
        extras.require("maths", "numpy", "scipy", "nowhere")


@pytest.mark.parametrize(
    ("builder", "module"), [(HandwrittenDigits, "sklearn"), (PrintedGlyphs, "joblib"), (PrintedGlyphs, "matplotlib")]
)
def test_an_embedded_data_set_is_not_begun_without_its_extra(monkeypatch, tmp_path, builder, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{module}: not installed; .*specialist\[demo\]"):
        builder(data_dir=tmp_path).download_and_prepare()
    assert not builder(data_dir=tmp_path).is_prepared()


def test_the_earth_movers_distance_is_of_an_extra(monkeypatch):
    matcher = matchers.make_matcher("emd_subset")
    matcher.check(7)
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ModuleNotFoundError, match=re.escape("ot: not installed; pip install 'specialist[emd]'")):
        matcher.check(7)
