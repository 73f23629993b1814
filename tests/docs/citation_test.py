"""CITATION.cff: valid, and of this version."""

import importlib.metadata
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).parents[2]


def test_it_is_valid():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    done = subprocess.run([*command, str(ROOT / "CITATION.cff")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_cites_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    command = [sys.executable, "setup.py", "--version"]
    version = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert citation["version"] == version == importlib.metadata.version("specialist")
    assert citation["authors"] == [{"name": "Specialist authors"}]
    (paper,) = citation["references"]
    assert paper["url"] == "https://arxiv.org/abs/1811.07056"
