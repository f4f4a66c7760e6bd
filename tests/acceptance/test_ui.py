"""The live page in a real browser: what is clicked, and what must then be seen; and who is kept out."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from peeklock.errors import PeeklockError
from peeklock.servicebus import Client, Emulator, OutgoingMessage, Queue, Subscription, Topic, Topology
from tests.acceptance.browser import page_watched, serious_faults, shows
from tests.acceptance.conftest import PEEKLOCK, Run, environment

TOPOLOGY = Topology(
    queues={"jobs": Queue(max_delivery_count=2), "orders": Queue(), "big": Queue()},
    topics={"news": Topic(subscriptions={"all": Subscription()})},
)
REFUSED = "status of 400"
"""What a browser itself writes to the console when a request is refused."""
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@dataclass(frozen=True)
class Opened:
    """A page that is served."""

    link: str
    bus: Emulator
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return urlsplit(self.link).port or 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with Emulator(TOPOLOGY) as bus, serving(bus, tmp_path_factory.mktemp("ui")) as found:
        yield found


@contextmanager
def serving(bus: Emulator, folder: Path) -> Iterator[Opened]:
    """`peeklock ui` of a namespace, ended by Ctrl-C."""
    process = subprocess.Popen(
        [PEEKLOCK, "ui", "--connection-string", bus.connection_string()],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        link = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line)
        assert link is not None, line + process.stdout.read()
        yield Opened(link[0], bus, process)
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        process.communicate()


@pytest.fixture
def client(served: Opened) -> Iterator[Client]:
    served.bus.reset()
    with Client(served.bus.connection_string()) as client:
        yield client


@contextmanager
def page_of(opened: Browser, served: Opened, place: str = "", size: tuple[int, int] = (1440, 900)) -> Iterator[Page]:
    """The page, let in by its link; watched."""
    ours = f"http://127.0.0.1:{served.port}/"
    with page_watched(opened, ours, size, REFUSED) as page:
        page.goto(served.link)
        expect(page.locator(".live-state")).to_have_text("● live")
        if place:
            page.goto(ours + place)
        yield page


def bury(client: Client, count: int = 1, body: bytes = b'{"order": 7}', **facts: str) -> None:
    client.send("jobs", [OutgoingMessage(body=body, message_id=f"dead-{n}", **facts) for n in range(count)])  # type: ignore[arg-type]
    for message in client.receive("jobs", count):
        client.dead_letter(message, "poison", "no photo")


def test_counts_change_as_messages_come_and_go(served: Opened, client: Client, opened: Browser) -> None:
    """Without a reload: the table counts, and what happens is listed."""
    with page_of(opened, served) as page:
        row = page.locator(".overview tr", has_text="orders")
        expect(row.locator("td").first).to_have_text("·")
        client.send("orders", [OutgoingMessage(b"x", "first-message"), OutgoingMessage(b"y", "second")])
        expect(row.locator("td").first).to_have_text("2")
        shows(page, "enqueued", "orders", "first-message", inside=".live-events")
        client.complete(client.receive("orders")[0])
        expect(row.locator("td").first).to_have_text("1")
        shows(page, "completed", inside=".live-events")


def test_a_fault_is_begun_counted_and_cleared(served: Opened, client: Client, opened: Browser) -> None:
    """A client meets it; what it strikes is counted without a reload; what is refused is told."""
    with page_of(opened, served, "#/faults") as page:
        shows(page, "No fault has been begun")
        page.get_by_label("Fault").select_option("server_busy")
        page.get_by_label("Of").select_option("orders")
        page.get_by_label("Times; empty: until cleared").fill("2")
        page.get_by_role("button", name="Begin").click()
        row = page.get_by_role("row").filter(has_text="server busy")
        expect(row).to_contain_text("orders02")
        with pytest.raises(PeeklockError, match="busy"):
            client.send("orders", [OutgoingMessage(b"x")])
        expect(row).to_contain_text("orders11")
        assert serious_faults(page) == []
        page.get_by_role("button", name=re.compile("^Clear fault-")).click()
        shows(page, "No fault has been begun")
        client.send("orders", [OutgoingMessage(b"x")])
        page.get_by_label("Fault").select_option("expire_lock")
        client.receive("orders")
        page.get_by_role("button", name="Strike").click()
        expect(page.locator(".live-said")).to_contain_text("expire_lock has struck 1 time")


def test_a_message_is_seen_in_full(served: Opened, client: Client, opened: Browser) -> None:
    """Body, properties, the SAS in it taken apart, and who has had it; its signature nowhere."""
    sas = "https://a.blob.core.windows.net/c/b.jpg?sp=r&se=2020-01-01T00:00:00Z&sr=b&sig=c2VjcmV0c2ln"
    body = json.dumps({"photo": sas}).encode()
    client.send("jobs", [OutgoingMessage(body, "one", subject="photo", application_properties={"tenant": "a"})])
    client.abandon(client.receive("jobs")[0])
    with page_of(opened, served, "#/messages/jobs") as page:
        page.get_by_role("link", name="one", exact=True).click()
        inside = ".live-detail"
        shows(page, '"photo"', "SAS in it", "read", "over", "tenant", "photo", "sig=***", inside=inside)
        shows(page, "Its way", "enqueued", "abandoned", "Delivery 1", inside=inside)
        assert "c2VjcmV0c2ln" not in page.content()
        page.get_by_role("button", name="as hex").click()
        shows(page, "7b 22 70 68 6f 74 6f", inside=inside)
        page.keyboard.press("Escape")
        expect(page.locator(inside)).to_have_count(0)


def test_pages_and_a_filter_lead_through_many(served: Opened, client: Client, opened: Browser) -> None:
    client.send("big", [OutgoingMessage(f'{{"n": {n}}}'.encode(), f"m-{n}") for n in range(120)], batch=True)
    with page_of(opened, served, "#/messages/big") as page:
        rows = page.locator(".messages tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("button", name="Next 50").click()
        shows(page, "m-50", "m-99", inside=".messages")
        page.get_by_role("button", name="Next 50").click()
        expect(rows).to_have_count(20)
        page.get_by_label("Filter messages").fill("m-117")
        expect(rows).to_have_count(1)


def test_a_message_is_sent(served: Opened, client: Client, opened: Browser) -> None:
    """JSON, properties, session and a time to come; what is no JSON is refused with the reason."""
    with page_of(opened, served, "#/messages/orders") as page:
        page.get_by_role("button", name="Send…").click()
        page.get_by_label("Body").fill("{no")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("cannot be read as JSON")
        page.get_by_label("Body").fill('{"order": 7}')
        page.get_by_label("Message id").fill("by-hand")
        page.get_by_label("Application properties").fill('{"tenant": "b"}')
        page.get_by_role("button", name="Send", exact=True).click()
        shows(page, "1 sent to orders", inside=".live-said")
        shows(page, "by-hand", '{"order": 7}', inside=".messages")
        page.get_by_role("button", name="Send…").click()
        page.get_by_label("Scheduled in").fill("soon")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("scheduled in")
        page.get_by_label("Scheduled in").fill("1h")
        page.get_by_role("button", name="Send", exact=True).click()
        shows(page, "scheduled", inside=".messages")
    found = client.peek("orders")
    assert (found[0].message_id, found[0].body, found[0].application_properties) == (
        "by-hand",
        b'{"order": 7}',
        {"tenant": "b"},
    )
    assert [each.state for each in found] == ["active", "scheduled"]


def test_dead_letters_are_sent_again(served: Opened, client: Client, opened: Browser) -> None:
    """One that is chosen, and then all; why each died is seen before."""
    bury(client, 3)
    with page_of(opened, served, "#/dead/jobs") as page:
        shows(page, "poison", "dead-0", inside=".messages")
        page.get_by_role("link", name="dead-1").click()
        shows(page, "no photo", "dead lettered", inside=".live-detail")
        page.get_by_label("Choose dead-0").check()
        page.get_by_role("button", name="Resubmit 1 chosen").click()
        shows(page, "1 sent to jobs again", inside=".live-said")
        expect(page.locator(".messages tbody tr")).to_have_count(2)
        page.get_by_role("button", name="Resubmit all…").click()
        page.get_by_role("button", name="Resubmit 2").click()
        shows(page, "2 sent to jobs again", inside=".live-said")
        shows(page, "No dead letters")
    assert len(client.peek("jobs")) == 3


def test_a_purge_asks_and_says_how_many(served: Opened, client: Client, opened: Browser) -> None:
    bury(client, 4)
    with page_of(opened, served, "#/dead/jobs") as page:
        page.get_by_role("button", name="Purge…").click()
        shows(page, "All 4 messages will be deleted", inside="dialog")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".messages tbody tr")).to_have_count(4)
        page.get_by_role("button", name="Purge…").click()
        page.get_by_role("button", name="Purge 4").click()
        shows(page, "4 purged from jobs/$deadletterqueue", inside=".live-said")
    assert client.peek("jobs/$deadletterqueue") == []


def test_what_was_done_by_hand_becomes_a_scenario(
    served: Opened, client: Client, opened: Browser, peeklock: Run, project: Path
) -> None:
    """Its steps are what was sent, and `peeklock check` takes the file."""
    with page_of(opened, served, "#/messages/orders") as page:
        for body in ('{"order": "forgotten, with what other tests did"}', '{"order": "${not a variable}"}'):
            page.get_by_role("button", name="Send…").click()
            page.get_by_label("Body").fill(body)
            page.get_by_role("button", name="Send", exact=True).click()
            page.get_by_role("button", name="By hand:").click()
            if "forgotten" in body:
                page.get_by_role("button", name="Forget").click()
                shows(page, "Forgotten", inside=".live-said")
        with page.expect_download() as download:
            page.get_by_role("link", name="Save as scenario").click()
        download.value.save_as(project / "scenarios" / "by_hand.yaml")
    done = peeklock("check", "scenarios/by_hand.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "forgotten" not in (project / "scenarios" / "by_hand.yaml").read_text()
    ran = peeklock("run", "scenarios/by_hand.yaml")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_hostile_content_is_shown_as_text(served: Opened, client: Client, opened: Browser) -> None:
    """In a body, an id, a property, a reason: nothing of it runs, and no element is added."""
    client.send("jobs", [OutgoingMessage(EVIL.encode(), EVIL, subject=EVIL, application_properties={EVIL: EVIL})])
    client.dead_letter(client.receive("jobs")[0], EVIL, EVIL)
    with page_of(opened, served, "#/dead/jobs") as page:
        page.locator(".messages tbody a").click()
        shows(page, EVIL, "Its way", inside=".live-detail")
        page.get_by_role("link", name="What happens").click()
        assert page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", "#/messages/orders", "#/dead/jobs"])
def test_nobody_is_kept_out(served: Opened, client: Client, opened: Browser, scheme: str, place: str) -> None:
    """axe-core finds nothing serious, in either scheme, a message and the form open."""
    bury(client)
    client.send("orders", [OutgoingMessage(b"{}", "o")])
    with page_of(opened, served, place) as page:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.locator(".live-table").first.wait_for()
        if place:
            page.locator(".messages tbody a").first.click()
            shows(page, "Its way", inside=".live-detail")
        assert serious_faults(page) == []
        if place:
            page.get_by_role("button", name="Send…").click()
            assert serious_faults(page) == []


def test_a_narrow_page_shows_one_thing_at_a_time(served: Opened, client: Client, opened: Browser) -> None:
    bury(client)
    with page_of(opened, served, "", (390, 844)) as page:
        page.locator(".overview a", has_text="jobs").click()
        page.get_by_role("link", name="Dead letters 1").click()
        page.get_by_role("link", name="dead-0").click()
        shows(page, "poison", inside=".live-detail")
        expect(page.locator(".messages")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def asked(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """One request as a hostile page would have the browser make it."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.putrequest(method, path, skip_host="host" in headers)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("content-length", "2" if method == "POST" else "0")
        connection.endheaders(b"{}" if method == "POST" else None)
        with closing(connection.getresponse()) as response:
            return response.status, b"" if response.getheader(
                "content-type"
            ) == "text/event-stream" else response.read()


@pytest.fixture(scope="module")
def cookie(served: Opened) -> str:
    """What a browser has that was let in."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)) as connection:
        connection.request("GET", served.link.partition(str(served.port))[2])
        response = connection.getresponse()
        response.read()
    given = response.getheader("set-cookie", "")
    assert (response.status, response.getheader("location")) == (303, "/")
    assert "HttpOnly; SameSite=Strict" in given
    return given.partition(";")[0]


OTHERS = [
    {"host": "evil.example"},
    {"host": "evil.example:{port}"},
    {"host": "127.0.0.1.evil.example:{port}"},
    {"host": "127.0.0.1:1"},
    {"host": "peeklock.localhost:{port}"},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:3000"},
    {"origin": "https://127.0.0.1:{port}"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("path", ["/", "/live.js", "/api/entities", "/api/feed", "/api/scenario"])
@pytest.mark.parametrize("foreign", OTHERS, ids=str)
def test_other_pages_get_nothing(served: Opened, cookie: str, path: str, foreign: dict[str, str]) -> None:
    """Another origin, another port of this machine, a name that was pointed at it: even with the cookie."""
    headers = {name: value.format(port=served.port) for name, value in foreign.items()}
    status, body = asked(served.port, "GET", path, {"cookie": cookie, **headers})
    assert status == 403, body
    assert b"jobs" not in body


@pytest.mark.parametrize("path", ["/api/send", "/api/purge", "/api/resubmit", "/api/forget"])
def test_other_pages_change_nothing(served: Opened, cookie: str, path: str) -> None:
    """Nor does a request that does not say whose page it is from."""
    for foreign in [*OTHERS, {}]:
        headers = {name: value.format(port=served.port) for name, value in foreign.items()}
        assert asked(served.port, "POST", path, {"cookie": cookie, **headers})[0] == 403


@pytest.mark.parametrize("held", ["", "peeklock_ui_{port}=", "peeklock_ui_{port}=guess", "peeklock_ui_1=x; a"])
def test_without_the_token_there_is_nothing(served: Opened, held: str) -> None:
    for path in ("/", "/live.js", "/api/entities", "/api/feed", "/?token=", "/?token=guess"):
        status, body = asked(served.port, "GET", path, {"cookie": held.format(port=served.port)})
        assert (status, b"jobs" in body) == (401, False)


def test_an_origin_elsewhere_gets_no_feed_in_a_browser(served: Opened, opened: Browser, tmp_path: Path) -> None:
    """A page of another port whose browser has the cookie: neither EventSource nor fetch reaches anything."""
    other = subprocess.Popen(
        [PEEKLOCK.with_name("python"), "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", tmp_path],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment() | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert other.stdout is not None
        found = re.search(r"port (\d+)", other.stdout.readline())
        assert found is not None
        page = opened.new_context().new_page()
        page.goto(served.link)
        page.goto(f"http://127.0.0.1:{found[1]}/")
        feed = page.evaluate(
            "url => new Promise(done => { const s = new EventSource(url, {withCredentials: true});"
            " s.onopen = () => done('open'); s.onerror = () => done('refused'); })",
            f"http://127.0.0.1:{served.port}/api/feed",
        )
        got = page.evaluate(
            "url => fetch(url, {credentials: 'include'}).then(r => r.text(), () => 'refused')",
            f"http://127.0.0.1:{served.port}/api/entities",
        )
        assert (feed, got) == ("refused", "refused")
        page.context.close()
    finally:
        other.terminate()
        other.communicate()


def test_it_says_when_the_emulator_has_gone(opened: Browser, tmp_path: Path) -> None:
    bus = Emulator(TOPOLOGY)
    bus.__enter__()
    with serving(bus, tmp_path) as served, page_of_gone(opened, served) as page:
        bus.__exit__(None, None, None)
        expect(page.locator(".live-state")).to_contain_text("✕")


@contextmanager
def page_of_gone(opened: Browser, served: Opened) -> Iterator[Page]:
    """A page that may tell of failed requests on its console."""
    context = opened.new_context()
    page = context.new_page()
    page.goto(served.link)
    expect(page.locator(".live-state")).to_have_text("● live")
    yield page
    context.close()


@pytest.mark.parametrize(
    ("connection", "problem"),
    [
        ("Endpoint=sb://x.servicebus.windows.net;SharedAccessKeyName=a;SharedAccessKey=b", "is for an emulator"),
        (
            "Endpoint=sb://localhost:1;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true",
            "no emulator answers at localhost:1",
        ),
        ("Endpoint=nothing;UseDevelopmentEmulator=true", "the connection string needs"),
    ],
)
def test_it_starts_only_on_an_emulator(peeklock: Run, connection: str, problem: str) -> None:
    """Never on a namespace in Azure; each refusal says what to do."""
    done = peeklock("ui", "--connection-string", connection)
    assert (done.returncode, problem in done.stderr, "how to fix" in done.stderr) == (3, True, True), done.stderr


def test_a_key_that_may_not_manage_is_refused(served: Opened, peeklock: Run) -> None:
    wrong = re.sub("SharedAccessKey=[^;]+", "SharedAccessKey=wrong", served.bus.connection_string())
    done = peeklock("ui", "--connection-string", wrong)
    assert done.returncode == 3
    assert "does not let this key in" in done.stderr
