"""What takes the place of tensorflow-addons computes what addons computed: golden.npz, written by golden.py."""

import importlib.util
import os
import pathlib
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
# `make test-addons` names values that it has just computed.
GOLDEN = os.environ.get("ADDONS_GOLDEN", str(HERE / "golden.npz"))


def load(name: str):
    """Returns a module of this folder, under the name by which the others here import it."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


load("inputs")
mappings = load("mappings")
with np.load(GOLDEN) as file:
    golden = dict(file)


def test_every_value_has_a_replacement():
    assert golden.keys() == mappings.ALL.keys()


@pytest.mark.parametrize("name", mappings.ALL)
def test_the_same_is_computed(name):
    replacement = mappings.ALL[name]
    np.testing.assert_allclose(replacement.compute(**replacement.arguments), golden[name], rtol=1e-4, atol=1e-5)


WRONG = [(name, argument) for name, replacement in mappings.ALL.items() for argument in replacement.wrong]


@pytest.mark.parametrize(("name", "argument"), WRONG, ids=["-".join(pair) for pair in WRONG])
def test_a_wrong_replacement_is_noticed(name, argument):
    replacement = mappings.ALL[name]
    values = replacement.compute(**{**replacement.arguments, argument: replacement.wrong[argument]})
    assert not np.allclose(values, golden[name], rtol=1e-3, atol=1e-4)
