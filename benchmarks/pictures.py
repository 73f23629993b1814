"""The pictures of the README, from the newest run of a workspace: what its end looks like, and its report.

  python -m benchmarks.pictures WORKSPACE     (after `make demo`: workspace)

Writes docs/demo.svg, the end of the run, and docs/report.webp, the top of the report as headless Chromium shows it.
"""

import dataclasses
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

import PIL.Image
import rich.console
import rich.terminal_theme

DOCS = pathlib.Path(__file__).parents[1] / "docs"
COLUMNS = 100
_SIZE = (1280, 1500)  # pixels of the page that are shown
_WIDTH = 1000  # of the picture
_MOST_BYTES = 300_000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the pictures of the workspace that a command line names, by default this process's."""
    (workspace,) = sys.argv[1:] if arguments is None else arguments
    from pipeline.report import command

    path, _ = command.find_report(workspace)
    for name, content in (("demo.svg", draw_end(workspace)), ("report.webp", draw_page(path, workspace))):
        if len(content) > _MOST_BYTES:
            raise ValueError(f"{name}: {len(content):,} bytes, more than {_MOST_BYTES:,}; show less of it")
        (DOCS / name).write_bytes(content)
        print(f"{DOCS / name}: {len(content):,} bytes")


def draw_end(workspace: str) -> bytes:
    """Returns what the newest run of a workspace has printed at its end, as SVG."""
    from pipeline import record
    from pipeline.report import inputs
    from pipeline.results import summary
    from pipeline.runners.local import NodeResult, State

    newest, _ = record.read_newest(workspace, lambda found: found)
    found = inputs.from_record(newest, os.path.abspath(workspace))
    results = [
        NodeResult(
            node,
            State(each.state),
            each.seconds,
            {key: [artifact] for key in each.outputs if (artifact := found.artifacts.get(f"{node}.{key}"))},
        )
        for node, each in newest.nodes.items()
    ]
    said = summary.collect(found.config, results, os.path.abspath(workspace))
    above = os.path.dirname(os.path.abspath(workspace))
    targets = {
        name: dataclasses.replace(target, pushed=target.pushed and os.path.relpath(target.pushed, above))
        for name, target in said.targets.items()
    }
    console = rich.console.Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    # Findings are lines that are too long for a picture.
    summary.show(console, dataclasses.replace(said, findings={}, targets=targets), results)
    return console.export_svg(title="specialist run", theme=rich.terminal_theme.MONOKAI).encode()


def draw_page(path: str, workspace: str) -> bytes:
    """Returns the top of a workspace's report at `path`, as headless Chromium shows it, as WebP.

    Paths begin with the name of the workspace: where it is on this machine is nobody's business.

    Raises:
      ValueError: see `find_browser`.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory() as folder:
        shot, page = os.path.join(folder, "page.png"), pathlib.Path(folder, "page.html")
        above = os.path.join(os.path.dirname(os.path.abspath(workspace)), "")
        written = re.escape(above).replace("/", "/(?:<wbr>)?")  # the page says where a path may break
        page.write_text(re.sub(written, "", pathlib.Path(path).read_text(encoding="utf-8")), encoding="utf-8")
        options = [
            *("--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=10000"),
            *(f"--user-data-dir={folder}/profile", f"--window-size={_SIZE[0]},{_SIZE[1]}", f"--screenshot={shot}"),
        ]
        subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True)
        with PIL.Image.open(shot) as picture:
            smaller = picture.convert("RGB").resize((_WIDTH, round(_SIZE[1] * _WIDTH / _SIZE[0])))
    content = io.BytesIO()
    smaller.save(content, "WEBP", quality=85)
    return content.getvalue()


def find_browser() -> str:
    """Returns the path of Chromium or Chrome: what the environment's CHROME_BIN has, else the first that is installed.

    Raises:
      ValueError: there is none, or CHROME_BIN is no program.
    """
    if given := os.environ.get("CHROME_BIN"):
        if shutil.which(given) is None:
            raise ValueError(f"CHROME_BIN: {given}; no such program; give the path of Chromium or Chrome")
        return given
    for name in _BROWSERS:
        if path := shutil.which(name):
            return path
    raise ValueError(
        "chromium: not installed; install it (on Debian, apt-get install chromium), or set CHROME_BIN to its path"
    )


if __name__ == "__main__":
    main()
