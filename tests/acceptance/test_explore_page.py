"""The page of an exploration, in Chromium: moments × disturbances, in light and in dark, and readable without colour."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from peeklock.explore.disturbances import disturbances
from peeklock.explore.events import Explored, Finding, Recorded, Tried
from peeklock.explore.judge import Difference
from peeklock.explore.moments import MessageMoment, Moment, RequestMoment
from peeklock.explore.trial import Ended, Trial
from peeklock.reports.html.explored import write_matrix

MOMENTS: tuple[Moment, ...] = (
    MessageMoment("worker", "complete", "orders", 1),
    RequestMoment("bank", "POST", "/<b>pay</b>", 1),
)
LOST = Difference("table invoices", "lost", (("amount", "17"),), (), 1, 0)
DOUBLED = Difference("table invoices", "doubled", (("amount", "17"),), (), 1, 2)
CHANGED = Difference("table invoices", "changed", (("amount", "17"),), (("amount", "<script>alert(1)</script>"),), 1, 0)


def different(what: Difference) -> Trial:
    return Trial("different", 1.0, Ended((), (), (), [what], True, 1))


@pytest.fixture
def page(opened: Browser, tmp_path: Path) -> Iterator[Page]:
    every = tuple(disturbances(MOMENTS, None))
    trials = [different(LOST), different(DOUBLED), different(CHANGED), Trial("same", 1), Trial("not_reached", 1)]
    tried = tuple(
        Tried(number, len(every), by, trial) for number, (by, trial) in enumerate(zip(every, trials, strict=False), 1)
    )
    findings = tuple(Finding(each.disturbance, each.trial, 3) for each in tried[:3])
    recorded = Recorded(MOMENTS, every, 1.0, ("container logs",), ("clocks that jump",))
    explored = Explored(recorded, tried, findings, len(every) - len(tried), 9.0)
    path = write_matrix(tmp_path / "explore" / "a.html", "orders.yaml::<good>", explored, 7)
    shown = opened.new_page()
    shown.on("console", lambda message: pytest.fail(f"the page complains: {message.text}"))
    shown.on("request", lambda request: None if request.url == path.as_uri() else pytest.fail(request.url))
    shown.goto(path.as_uri())
    yield shown
    shown.close()


def test_every_moment_has_a_row_and_each_word_says_how_it_ended(page: Page) -> None:
    """Without colour, too: a mark and a word."""
    rows = [row.inner_text().split("\t") for row in page.locator("tbody tr").all()]
    assert rows[0] == ["worker complete orders#1", "− lost", "×2 doubled", "≠ different", "✓ same", "", ""]
    assert rows[1] == ["POST /<b>pay</b> of bank#1", "", "", "", "", "? could not", "· not tried"]


def test_findings_and_what_nothing_is_said_of_are_told(page: Page) -> None:
    """What systems have written is text, whatever it looks like."""
    text = page.inner_text("body")
    assert "1 of 5 the same as undisturbed · 3 findings · 1 not tried · 9 s · seed 7" in text
    assert "amount <script>alert(1)</script>, undisturbed 17" in text
    assert 'explore: {ignore: ["table invoices.amount"]}' in text
    assert "its moment did not come again" in text
    assert "container logs: undisturbed runs leave it behind in different ways" in text
    assert page.locator("script").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_in_dark(page: Page, scheme: Literal["light", "dark"]) -> None:
    """Every word has 4.5 times the luminance of what it stands on, or a fraction of that."""
    page.emulate_media(color_scheme=scheme)
    worst = page.evaluate(CONTRAST)
    assert worst >= 4.5


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  return Math.min(...[...document.querySelectorAll("body *")].filter((each) => each.innerText).map((each) => {
    const [one, other] = [light(getComputedStyle(each).color), light(back(each))].sort((a, b) => b - a);
    return (one + 0.05) / (other + 0.05);
  }));
}"""
