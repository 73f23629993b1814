"""Where the report's links lead to."""

import pytest

from .conftest import WIDTHS

pytestmark = pytest.mark.slow


def _settle(page) -> None:
    """Waits until nothing scrolls any more."""
    last, same = None, 0
    for _ in range(100):
        now = page.evaluate("[scrollY, document.documentElement.scrollHeight].join()")
        same = same + 1 if now == last else 0
        if same == 8:
            return
        last = now
        page.wait_for_timeout(50)


@pytest.mark.parametrize("width", WIDTHS.values())
@pytest.mark.parametrize("part", ["why", "aside", "curves", "confusion"])
def test_the_first_click_in_the_contents_lands_at_the_heading(open_report, part, width):
    report = open_report("make_block", width=width)
    if width == WIDTHS["phone"]:
        report.page.locator(".contents summary").click()
    report.page.locator(f"nav a[href='#t0-{part}']").click()
    _settle(report.page)
    assert abs(report.page.locator(f"#t0-{part}").bounding_box()["y"] - 16) <= 3
    current = report.page.locator("nav a[aria-current]")
    assert [link.get_attribute("href") for link in current.all()] == [f"#t0-{part}"]


@pytest.mark.parametrize("link", [".top-labels a", ".explained a"])
@pytest.mark.parametrize("width", WIDTHS.values())
def test_back_leads_to_the_link_of_a_label(open_report, link, width):
    report = open_report("make_block", width=width)
    chosen = report.page.locator(link).last
    chosen.scroll_into_view_if_needed()
    _settle(report.page)
    before = chosen.bounding_box()["y"]
    chosen.click()
    report.page.locator(".detail h4").wait_for()
    _settle(report.page)
    panel = report.page.locator(".detail").bounding_box()
    assert panel["y"] >= 0 and (panel["y"] + panel["height"] <= 900 or panel["y"] <= 32)
    report.page.go_back()
    _settle(report.page)
    assert abs(chosen.bounding_box()["y"] - before) <= 3
    report.page.go_forward()
    _settle(report.page)
    assert report.page.locator(".detail").bounding_box()["y"] < 900
