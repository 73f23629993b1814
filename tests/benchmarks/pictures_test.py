"""The README's pictures; that of the end of a run is tested where runs are."""

import io
import shutil

import PIL.Image
import pytest

from benchmarks import pictures


def test_a_picture_that_is_too_large_is_not_written(monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.report.command.find_report", lambda workspace: ("report.html", None))
    monkeypatch.setattr(pictures, "DOCS", tmp_path)
    monkeypatch.setattr(pictures, "draw_end", lambda workspace: b"<svg/>")
    monkeypatch.setattr(pictures, "draw_page", lambda path, workspace: bytes(300_001))
    with pytest.raises(ValueError, match=r"report\.webp: 300,001 bytes"):
        pictures.main(["workspace"])
    assert not (tmp_path / "report.webp").exists()
    monkeypatch.setattr(pictures, "draw_page", lambda path, workspace: b"webp")
    pictures.main(["workspace"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "demo.svg": b"<svg/>",
        "report.webp": b"webp",
    }


def test_without_a_browser(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "google-chrome" else None)
    assert pictures.find_chromium() == "/usr/bin/google-chrome"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="chromium: not installed"):
        pictures.find_chromium()


@pytest.mark.slow
def test_the_top_of_a_page(tmp_path):
    path = tmp_path / "report.html"
    # The page is as wide as its text: the longer path would show in the picture's second half.
    path.write_text(
        f"<style>body {{ margin: 0; background: #fff }} b {{ background: #f00; font: 40px monospace }}</style>"
        f"<b>{'/'.join(['', *tmp_path.parts[1:], '<wbr>workspace'])}</b>",
        encoding="utf-8",
    )
    with PIL.Image.open(io.BytesIO(pictures.draw_page(str(path), str(tmp_path / "workspace")))) as picture:
        assert picture.size == (1000, 1172)
        red = [x for x in range(picture.width) if picture.getpixel((x, 10))[1] < 128]
    assert 0 < max(red) < 300  # 'workspace' alone: 9 letters of 24 pixels, on 1000 of 1280
