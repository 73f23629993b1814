"""The pictures of the README, of a run of which only a few files are there, and of pages made here."""

import io
import json
import os
import pathlib
import xml.etree.ElementTree

import numpy as np
import PIL.Image
import pytest
from ml_metadata.proto import metadata_store_pb2 as mlmd

from benchmarks import pictures
from components import storage
from components.artifacts import label_prior
from pipeline import record
from pipeline.config.load import load
from pipeline.report import metadata
from trainer.results import METRICS_FILE

DEMO = pathlib.Path(pictures.__file__).parents[1] / "pipeline" / "configs" / "demo.yaml"
METRICS = {"accuracy": 0.9125, "top_5_accuracy": 1.0, "mean_per_class_accuracy": 0.875, "cross_entropy": 0.25}
SIZE = (1000, 1172)  # of the picture of the page


def make_program(path: pathlib.Path, *lines: str) -> str:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def programs(tmp_path, monkeypatch) -> pathlib.Path:
    """The folder of all programs that there are."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CHROME_BIN", raising=False)
    return folder


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> str:
    """The folder of a run of two nodes that has pushed a version."""
    folder = tmp_path / "elsewhere" / "space"
    uris = {key: str(folder / "artifacts" / key) for key in ("label_prior", "model_run", "pushed_model")}
    prior = label_prior.LabelPrior(
        ("seven", "one"), np.array([6, 2]), np.array([0.25, 0.75]), "mean_prediction", 2.0, 9
    )
    storage.write_table(os.path.join(uris["label_prior"], label_prior.FILE_NAME), label_prior.to_table(prior))
    storage.write_text(os.path.join(uris["model_run"], METRICS_FILE), json.dumps({"test": {"examples": 80, **METRICS}}))
    version = folder / "serving" / "digits" / "7"
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        storage.write_text(str(version / name), "")
    pushed = mlmd.Artifact(uri=uris["pushed_model"])
    pushed.custom_properties["pushed_destination"].string_value = str(version)
    os.makedirs(pushed.uri)
    made = {pushed.uri: metadata.Made(pushed, 1.0)}
    monkeypatch.setattr(metadata, "read_artifacts", lambda of, _: made if of == str(folder) else {})
    nodes = {
        "digits-prior": record.Node("done", 61.0, {"label_prior": [uris["label_prior"]]}),
        "digits-same-distribution-finetune": record.Node("reused", 0.5, {"model_run": [uris["model_run"]]}),
        "digits-pusher": record.Node("done", 2.0, {"pushed_model": [uris["pushed_model"]]}),
    }
    record.write(str(folder), "run", record.Record(load(str(DEMO)).model_dump(mode="json"), nodes))
    return str(folder)


def read_text(svg: bytes) -> str:
    """Returns what an SVG says, without its spaces."""
    return "".join("".join(xml.etree.ElementTree.fromstring(svg).itertext()).split())


def test_the_end_of_a_run_is_what_it_has_printed(workspace):
    text = read_text(pictures.draw_end(workspace))
    assert "one│0.25000│0.75000│3.0│" in text and "seven│0.75000│0.25000│0.3│" in text
    assert "91.2%87.5%" in text
    assert "2executorsran,1resultswerereused,63s" in text
    assert "space/serving/digits/7" in text
    assert "elsewhere" not in text


def test_the_page_is_shown_without_the_path_of_its_workspace(programs, workspace, tmp_path, monkeypatch):
    PIL.Image.new("RGB", (1280, 1500), (0, 128, 0)).save(tmp_path / "shot.png")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.defpath}")
    make_program(
        programs / "chromium",
        'for each in "$@"; do',
        f'  case "$each" in --screenshot=*) cp {tmp_path}/shot.png "${{each#*=}}" ;; esac',
        "done",
        f'cp "${{each#file://}}" {tmp_path}/seen.html',
    )
    page, broken = tmp_path / "report.html", workspace.replace("/", "/<wbr>")
    page.write_text(f"<p>{workspace}/runs</p><p>{broken}/<wbr>serving</p>", encoding="utf-8")
    with PIL.Image.open(io.BytesIO(pictures.draw_page(str(page), workspace))) as picture:
        assert (picture.format, picture.size) == ("WEBP", SIZE)
        np.testing.assert_allclose(picture.convert("RGB").getpixel((500, 500)), (0, 128, 0), atol=4)
    assert (tmp_path / "seen.html").read_text() == "<p>space/runs</p><p>space/<wbr>serving</p>"


@pytest.mark.slow
def test_the_page_in_a_browser(tmp_path):
    page = tmp_path / "report.html"
    page.write_text(
        "<body style='margin: 0; background: red'><div style='height: 750px; width: 640px; background: blue'>",
        encoding="utf-8",
    )
    with PIL.Image.open(io.BytesIO(pictures.draw_page(str(page), str(tmp_path / "space")))) as picture:
        assert picture.size == SIZE
        for point, colour in (((250, 250), (0, 0, 255)), ((750, 250), (255, 0, 0)), ((250, 900), (255, 0, 0))):
            np.testing.assert_allclose(picture.convert("RGB").getpixel(point), colour, atol=12)


def test_both_are_written_unless_one_is_too_large(tmp_path, monkeypatch, capsys):
    from pipeline.report import command

    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    monkeypatch.setattr(command, "find_report", lambda of: (f"{of}/report.html", None))
    monkeypatch.setattr(pictures, "draw_end", lambda of: f"end of {of}".encode())
    monkeypatch.setattr(pictures, "draw_page", lambda path, of: f"{path} of {of}".encode())
    pictures.main(["space"])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "demo.svg": "end of space",
        "report.webp": "space/report.html of space",
    }
    assert "report.webp: 26 bytes" in capsys.readouterr().out
    monkeypatch.setattr(pictures, "draw_page", lambda *_: bytes(300_001))
    with pytest.raises(ValueError, match=r"report\.webp: 300,001 bytes, more than 300,000; show less of it"):
        pictures.main(["space"])
    assert (tmp_path / "report.webp").stat().st_size == 26


def test_the_browser_is_the_given_one_or_the_first_that_is_installed(programs, monkeypatch, tmp_path):
    for name in ("google-chrome", "chromium-browser", "chromium"):
        path = make_program(programs / name)
        assert pictures.find_browser() == path
    given = make_program(tmp_path / "chrome")
    monkeypatch.setenv("CHROME_BIN", given)
    assert pictures.find_browser() == given


def test_a_browser_that_is_not_there_is_told_with_the_way_out(programs, monkeypatch):
    with pytest.raises(ValueError, match=r"chromium: not installed; install it .* CHROME_BIN"):
        pictures.find_browser()
    make_program(programs / "chromium")
    monkeypatch.setenv("CHROME_BIN", "/nowhere/chrome")
    with pytest.raises(ValueError, match="CHROME_BIN: /nowhere/chrome; no such program"):
        pictures.find_browser()
