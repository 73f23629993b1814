import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator

import pytest
import report_blocks

from benchmarks import pictures
from components.transfer_report import page as report_page

WIDTHS = {"screen": 1280, "phone": 390}
SCREENSHOTS = pathlib.Path(__file__).parents[2] / "build" / "report-screenshots"


@dataclasses.dataclass
class Report:
    """A report in a browser, and what it said there.

    Attributes:
      page: Playwright's.
      path: of its file.
      errors: what the console and the page complained about.
      requests: what it asked the network for.
    """

    page: object
    path: pathlib.Path
    errors: list[str] = dataclasses.field(default_factory=list)
    requests: list[str] = dataclasses.field(default_factory=list)

    def build(self) -> None:
        """Makes the parts that are made once they come near to the screen, and waits for them."""
        for part in self.page.locator("[data-explorer]:visible, [data-curves]:visible").all():
            part.scroll_into_view_if_needed()
        for row in self.page.locator("[data-explorer]:visible .tabulator-row").all()[:1]:
            row.wait_for()
        for part in self.page.locator("[data-curves]:visible").all():
            part.locator("canvas").wait_for()
        self.page.evaluate("scrollTo(0, 0)")


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    try:
        path = pictures.find_browser()
    except ValueError as error:
        pytest.fail(str(error), pytrace=False)
    from playwright import sync_api

    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def render(tmp_path_factory) -> Callable[[str], pathlib.Path]:
    """A function from the name of a function of `report_blocks` to the path of its report."""
    folder = tmp_path_factory.mktemp("reports")

    @functools.cache
    def find(name: str) -> pathlib.Path:
        path = folder / f"{name}.html"
        path.write_text(report_page.render(getattr(report_blocks, name)()), encoding="utf-8")
        return path

    return find


@pytest.fixture
def open_report(browser, render) -> Iterator[Callable[..., Report]]:
    """Opens reports. When the test ends, none may have complained or asked the network for anything."""
    opened = []

    def open_one(name: str, *, width: int = WIDTHS["screen"], scheme: str = "light", script: bool = True) -> Report:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        report = Report(context.new_page(), render(name))
        report.page.set_default_timeout(20_000)
        report.page.on("console", lambda said: report.errors.append(said.text) if said.type != "log" else None)
        report.page.on("pageerror", lambda error: report.errors.append(str(error)))
        report.page.on("dialog", lambda dialog: (report.errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        address = report.path.as_uri()
        report.page.on(
            "request",
            lambda request: (
                report.requests.append(request.url)
                if not request.url.startswith("data:") and request.url.partition("#")[0] != address
                else None
            ),
        )
        report.page.goto(address)
        opened.append((context, report))
        return report

    yield open_one
    for context, report in opened:
        context.close()
        assert report.errors == []
        assert report.requests == []
