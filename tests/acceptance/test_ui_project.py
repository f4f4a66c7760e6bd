"""The live page in a project, in a real browser: blobs, tables, and the environment that is chosen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import serious_faults, shows
from tests.acceptance.live_project import Opened, page_of, peeklock, serving

pytestmark = pytest.mark.slow

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SIGNED = "https://a.blob.core.windows.net/c/b?sp=r&sig=c2VjcmV0c2ln"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DATA = f"""
scenario: Data
stack:
  servicebus: {{queues: {{jobs: {{}}}}}}
  blobs: {{containers: [photos, empty]}}
  postgres: {{migrations: ../sql}}
cases:
  filled:
    steps:
      - blob: {{put: photos/one.png, base64: {PICTURE}, content_type: image/png}}
      - blob: {{put: photos/facts.json, json: {{order: 7, url: "{SIGNED}"}}, content_type: application/json}}
      - blob: {{put: "photos/{EVIL}", text: "{EVIL}", content_type: text/html}}
      - blob: {{put: photos/evil.png, text: "{EVIL}", content_type: image/png}}
      - db: {{execute: "INSERT INTO orders SELECT n, 'order ' || n, NULL FROM generate_series(1, 120) n"}}
      - db: {{execute: "UPDATE orders SET note = '{EVIL}' WHERE id = 1"}}
      - db: {{execute: "UPDATE orders SET note = '{SIGNED}' WHERE id = 2"}}
"""
OTHER = """
scenario: Other
stack: {servicebus: {queues: {elsewhere: {}}}}
cases:
  sent:
    steps:
      - send: {queue: elsewhere, text: hello}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """The page of a warm stack on which the cases of two files have run."""
    project = tmp_path_factory.mktemp("data")
    (project / "scenarios").mkdir()
    (project / "sql").mkdir()
    (project / "pyproject.toml").touch()
    (project / "sql" / "1.sql").write_text(
        'CREATE TABLE orders (id int PRIMARY KEY, name text, note text); CREATE TABLE "Odd ""name" (x int);'
    )
    (project / "scenarios" / "data.yaml").write_text(DATA)
    (project / "scenarios" / "other.yaml").write_text(OTHER)
    peeklock(project, "up", "--backend", "embedded")
    try:
        peeklock(project, "run", "--backend", "embedded")
        with serving(project) as link:
            yield Opened(link, project)
    finally:
        peeklock(project, "down")


def test_a_blob_is_seen_as_what_it_is(served: Opened, opened: Browser) -> None:
    """A picture as a picture, JSON as JSON without its signature, markup as text; what lies about its type too."""
    with page_of(opened, served) as page:
        page.get_by_role("link", name="Blobs").click()
        page.get_by_role("link", name="photos").click()
        shows(page, "one.png", "image/png", "facts.json", EVIL, inside=".live-table")
        page.get_by_role("link", name="one.png").click()
        picture = page.get_by_role("img", name="The picture one.png")
        expect(picture).to_be_visible()
        assert picture.evaluate("each => each.decode().then(() => each.naturalWidth)") == 1
        assert serious_faults(page) == []
        page.get_by_role("link", name="facts.json").click()
        shows(page, '"order": 7', "application/json", "sig=***", inside=".live-detail")
        assert "c2VjcmV0c2ln" not in page.content()
        page.get_by_role("button", name="as hex").click()
        shows(page, "7b 22 6f 72 64 65 72", inside=".live-detail")
        page.get_by_role("link", name="evil.png").click()
        shows(page, EVIL, inside=".live-detail")
        page.get_by_role("link", name=EVIL).click()
        shows(page, EVIL, "text/html", inside=".live-detail")
        assert page.locator("img").count() == 0
        page.keyboard.press("Escape")
        page.get_by_label("Names that begin so").fill("facts")
        expect(page.locator(".live-table tbody tr")).to_have_count(1)
        page.keyboard.press("Escape")


def test_a_picture_cannot_be_anything_else(served: Opened) -> None:
    """What is served as bytes is one of four types by its first bytes, and inert."""
    assert served.asked("GET", f"/api/picture?container=photos&name={quote(EVIL)}")[0] == 409
    assert served.asked("GET", "/api/picture?container=photos&name=evil.png")[0] == 409
    status, body = served.asked("GET", "/api/picture?container=photos&name=one.png")
    assert (status, body[:4]) == (200, b"\x89PNG")


def test_rows_are_paged_and_shown_as_text(served: Opened, opened: Browser) -> None:
    """In the order of their key; a null is no empty text; markup is text, and a signature is masked."""
    with page_of(opened, served) as page:
        page.get_by_role("link", name="Tables").click()
        expect(page.get_by_role("row").filter(has_text="orders")).to_contain_text("120")
        shows(page, 'Odd "name', inside=".live-table")
        page.get_by_role("link", name="orders").click()
        rows = page.locator(".live-table tbody tr")
        expect(rows).to_have_count(50)
        expect(rows.nth(0)).to_contain_text(EVIL)
        expect(rows.nth(1)).to_contain_text("sig=***")
        expect(rows.nth(2)).to_have_text("3order 3null")
        assert "c2VjcmV0c2ln" not in page.content()
        assert page.locator("img").count() == 0
        assert serious_faults(page) == []
        page.get_by_role("button", name="Next 50").click()
        expect(rows.nth(0)).to_contain_text("order 51")
        page.get_by_role("button", name="Next 50").click()
        expect(rows).to_have_count(20)
        page.keyboard.press("Escape")
        page.get_by_role("link", name="Odd").click()
        shows(page, "The table is empty")


@pytest.mark.parametrize(
    "path",
    [
        "/api/rows?table=1259", "/api/rows?table=0", "/api/rows?table=orders", "/api/rows?table=-1",
        "/api/blobs?container=nothing", "/api/blobs?container=", "/api/blob?container=photos&name=nothing",
        "/api/blob?container=../probe&name=ready", "/api/picture?container=photos&name=nothing",
    ],
)  # fmt: skip
def test_only_what_the_environment_has_can_be_named(served: Opened, path: str) -> None:
    """No table of the system, no other account; each refusal says why."""
    status, told = served.asked("GET", path)
    assert status in (400, 409), told
    assert told["error"]


@pytest.mark.parametrize(
    "path", ["/api/containers", "/api/blob?container=photos&name=facts.json", "/api/tables", "/api/page"]
)
def test_other_pages_see_none_of_it(served: Opened, path: str) -> None:
    for foreign in ({"origin": "http://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "same-site"}):
        assert served.asked("GET", path, foreign)[0] == 403
    assert served.asked("GET", path, {"cookie": ""})[0] == 401


def test_another_environment_is_chosen(served: Opened, opened: Browser) -> None:
    """Its queues are there, its blobs are not, and its feed is followed; one that does not stand is refused."""
    with page_of(opened, served) as page:
        shows(page, "jobs", inside=".overview")
        page.get_by_label("Environment").select_option("other")
        shows(page, "elsewhere", inside=".overview")
        page.get_by_role("link", name="Blobs").click()
        shows(page, "The account has no container")
        page.get_by_role("link", name="Tables").click()
        shows(page, "the environment other has no Postgres")
        page.get_by_label("Environment").select_option("data")
        shows(page, "jobs", inside=".overview")
    assert served.asked("POST", "/api/choose", body={"name": "nothing"})[0] == 409
    assert served.asked("GET", "/api/page")[1]["environment"] == "data"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_page_fits(served: Opened, opened: Browser, scheme: str) -> None:
    """One thing at a time, nothing beside the page, in either scheme."""
    with page_of(opened, served, "#/blobs/photos", (390, 844)) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.get_by_role("link", name="facts.json").click()
        shows(page, '"order": 7', inside=".live-detail")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious_faults(page) == []
        page.get_by_role("button", name="Close").click()
        page.get_by_role("link", name="Tables").last.click()
        page.get_by_role("link", name="orders").click()
        shows(page, "order 7", inside=".live-table")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert serious_faults(page) == []


def test_what_is_saved_stands_on_what_the_environment_stands_on(served: Opened, tmp_path: Path) -> None:
    """Header of its file, the steps as the only case: `peeklock check` takes it, and it passes."""
    sent = {"entity": "jobs", "message": {"json": {"a": "$b"}}, "times": 2}
    assert served.asked("POST", "/api/send", body=sent)[0] == 200
    assert served.asked("POST", "/api/purge", body={"entity": "jobs"})[0] == 200
    assert served.asked("POST", "/api/send", body=sent)[0] == 200
    text = served.asked("GET", "/api/scenario")[1].decode()
    assert text.index("purged 2 messages of jobs") < text.rindex("send:")
    elsewhere = Path(shutil.copytree(served.project, tmp_path / "copy", ignore=shutil.ignore_patterns(".peeklock")))
    (elsewhere / "scenarios" / "by_hand.yaml").write_text(text)
    peeklock(elsewhere, "check", "scenarios/by_hand.yaml")
    peeklock(elsewhere, "run", "scenarios/by_hand.yaml", "--backend", "embedded")


def test_an_environment_that_was_handed_on_stays_chosen(tmp_path: Path) -> None:
    """A file with the same stack takes it over, and it has that file's name then."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "scenarios" / "first.yaml").write_text(OTHER)
    (tmp_path / "scenarios" / "second.yaml").write_text(OTHER)
    peeklock(tmp_path, "up", "--backend", "embedded")
    try:
        peeklock(tmp_path, "run", "scenarios/first.yaml", "--backend", "embedded")
        with serving(tmp_path) as link:
            served = Opened(link, tmp_path)
            assert served.asked("POST", "/api/choose", body={"name": "first"})[0] == 200
            assert served.asked("GET", "/api/entities")[0] == 200
            peeklock(tmp_path, "run", "scenarios/second.yaml", "--backend", "embedded")
            assert served.asked("GET", "/api/page")[1]["environment"] == "second"
            assert served.asked("GET", "/api/entities")[1]["queues"][0]["active"] == 1
    finally:
        peeklock(tmp_path, "down")
