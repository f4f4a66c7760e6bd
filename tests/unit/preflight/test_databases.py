"""Different databases, however they are addressed."""

from __future__ import annotations

from peeklock.preflight import databases
from peeklock.preflight.facts import FoundDatabase, Unreached
from peeklock.preflight.findings import Report
from peeklock.preflight.places import read
from peeklock.preflight.sameness import Reached
from peeklock.preflight.settings import Setting

ORDERS = FoundDatabase(("server 1", "16384"), "orders")
OTHER = FoundDatabase(("server 1", "16385"), "other")


def judged(told: dict[str, str], found: dict[str, FoundDatabase | Unreached]) -> Report:
    settings = [Setting(service, "DATABASE_URL", url, f"{service}.env:1") for service, url in told.items()]
    return databases.judge(read(settings).databases, found)


def test_two_names_of_one_database_are_no_fault() -> None:
    direct, pooled = "postgresql://u@db/orders", "postgresql://u@pool:6432/orders"
    report = judged({"api": direct, "worker": pooled}, {direct: ORDERS, pooled: ORDERS})
    assert report.findings == ()
    assert "api and worker reach the same database" in report.checked


def test_one_name_on_two_servers_is_a_fault() -> None:
    here, there = "postgresql://u@db1/orders", "postgresql://u@db2/orders"
    elsewhere = FoundDatabase(("server 2", "16384"), "orders")
    (found,) = judged({"api": here, "worker": there}, {here: ORDERS, there: elsewhere}).findings
    assert found.name == "different-databases"
    assert "api.env:1" in found.where
    assert "worker.env:1" in found.where
    assert "db1:5432/orders" in found.actual
    assert "db2:5432/orders" in found.actual


def test_a_database_that_cannot_be_reached_is_told_with_its_reason() -> None:
    url = "postgresql://u:secret@db/orders"
    (found,) = judged({"api": url}, {url: Unreached("nothing listens there")}).findings
    assert (found.name, found.where) == ("database-unreachable", "api.env:1")
    assert "nothing listens there" in found.actual
    assert "secret" not in found.text()


def test_a_service_alone_is_compared_with_nobody() -> None:
    url = "postgresql://u@db/orders"
    assert judged({"api": url}, {url: OTHER}).checked == ("api reaches db:5432/orders",)


def test_a_connection_that_leads_elsewhere_than_the_variable() -> None:
    """Whatever a service is told: it is connected to another database."""
    url = "postgresql://u@db/orders"
    places = read([Setting("api", "DATABASE_URL", url, "api.env:1")]).databases
    right, wrong = (
        Reached("api", "its open connection", "a.yaml:3", each.identity, each.name) for each in (ORDERS, OTHER)
    )
    assert databases.judge(places, {url: ORDERS}, [right]).findings == ()
    (found,) = databases.judge(places, {url: ORDERS}, [right, wrong]).findings
    assert (found.name, found.actual) == ("different-databases", "other (its open connection)")
    assert found.expected == "db:5432/orders (DATABASE_URL)"
