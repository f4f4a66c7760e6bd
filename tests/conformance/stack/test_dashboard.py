"""What the dashboard asks for is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from peeklock.servicebus import AccessRule, Client, Emulator, OutgoingMessage, Queue, ServiceBusError, Topology
from peeklock.servicebus.emulator import connection_string
from peeklock.stack.warm.grafana import PANELS, grafana_dashboard
from peeklock.stack.warm.metrics_page import render, samples_of
from peeklock.stack.warm.standing import Standing


@pytest.fixture
def page() -> Iterator[str]:
    """Of a namespace in which everything has happened once, and of one that does not answer."""
    rule = AccessRule()
    with Emulator(Topology(queues={"jobs": Queue()}, access_rules=(rule,))) as bus:
        string = connection_string("127.0.0.1", bus.port, rule)
        with Client(string) as client:
            client.send("jobs", [OutgoingMessage(body=b"a"), OutgoingMessage(body=b"b"), OutgoingMessage(body=b"c")])
            first, second, third = client.receive("jobs", 3)
            client.complete(first)
            client.abandon(second)
            client.dead_letter(third)
            with pytest.raises(ServiceBusError):
                client.send("none", [OutgoingMessage(body=b"a")])
            gone = connection_string("127.0.0.1", 9, rule)
            yield render(
                samples_of([Standing("orders", kept=False, servicebus_connection_string=string),
                            Standing("gone", kept=False, servicebus_connection_string=gone)])
            )  # fmt: skip


def test_every_query_names_a_metric_with_labels_that_exist(page: str) -> None:
    """Also the values of labels that are written out, such as `state="dead_letter"`."""
    for title, query, legend, _ in PANELS:
        for name, wanted in re.findall(r"(peeklock_\w+)\{([^}]*)\}", query):
            series = [line for line in page.splitlines() if line.startswith(f"{name}{{")]
            for label, value in re.findall(r'(\w+)=~?"([\w|]*)"', wanted):
                series = [line for line in series if re.search(f'{label}="({value})"', line)]
            assert series, f"{title}: {name} {wanted}"
            assert any('environment="orders"' in line for line in series)
            labels = set(re.findall(r'(\w+)="', " ".join(series)))
            assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= labels | {"service"}, title
        assert not re.findall(r"\b(?!peeklock_)[a-z]+_[a-z_]+\b(?=\{)", query), f"{title}: of somebody else"


def test_who_does_not_answer_is_told(page: str) -> None:
    assert 'peeklock_target_up{environment="gone"} 0' in page
    assert 'peeklock_target_up{environment="orders"} 1' in page


def test_the_dashboard_holds_every_panel_and_no_secret() -> None:
    dashboard = json.loads(grafana_dashboard())
    assert [panel["title"] for panel in dashboard["panels"]] == [title for title, *_ in PANELS]
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard["panels"]}) == len(PANELS)
