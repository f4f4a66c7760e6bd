"""Looks at everything that services are told, all at once, and judges it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from peeklock.preflight import clock, containers, databases, entities, roles, schema
from peeklock.preflight.expected import Expected
from peeklock.preflight.facts import Clock, FoundAccount, FoundDatabase, FoundEntity, Unreached
from peeklock.preflight.findings import Report, merged
from peeklock.preflight.places import Places, read
from peeklock.preflight.reach.blobs import look_at_account
from peeklock.preflight.reach.database import look_at_database
from peeklock.preflight.reach.looks import Looks
from peeklock.preflight.reach.servicebus import look_at_entities
from peeklock.preflight.roles import Grants
from peeklock.preflight.sameness import Reached
from peeklock.preflight.settings import Setting
from peeklock.redaction import Redactor

PATIENCE = 5.0
"""Seconds that everything has to answer."""

Databases = Mapping[str, FoundDatabase | Unreached]
Namespaces = Mapping[str, dict[str, FoundEntity] | Unreached]
Accounts = Mapping[str, FoundAccount | Unreached]


def check(
    settings: Iterable[Setting],
    expected: Expected | None = None,
    seconds: float = PATIENCE,
    *,
    offset: float = 0.0,
    seen: Iterable[Reached] = (),
    grants: Grants | None = None,
) -> Report:
    """Return what is wrong with what services are told, seen from outside and with no message sent.

    `offset`: seconds by which the clocks of what they reach are meant to be ahead; `seen`: databases to which services
    have connections open; `grants`: what the identities of services may do, where that is known.
    """
    places, wanted = read(settings), expected or Expected()
    stores, bus, accounts = _look(places, wanted, seconds)
    reports = [
        Report(places.unreadable),
        databases.judge(places.databases, stores, seen),
        entities.judge(places, wanted, bus),
        entities.nobody(places, bus),
        containers.judge(places, wanted, accounts),
        clock.judge(_clocks(places, stores, accounts), offset),
        *_schemas(places, wanted, stores),
    ]
    if grants is not None:
        reports = [*(_but_identities(each, places) for each in reports), roles.judge(places, wanted, grants)]
    return merged(reports).redacted(Redactor(places.hidden()))


def _but_identities(report: Report, places: Places) -> Report:
    """Return a report without what it could not check of services that sign in with an identity: their roles are judged instead."""
    judged = {f"what {each.setting.service} may do at {each.address}" for each in places.by_identity()}
    return replace(report, unchecked=tuple(each for each in report.unchecked if each.what not in judged))


def _look(places: Places, expected: Expected, seconds: float) -> tuple[Databases, Namespaces, Accounts]:
    stores = Looks({each.dsn: partial(look_at_database, each.dsn, seconds) for each in places.databases}, seconds)
    asked: dict[str, dict[str, None]] = {}
    for namespace in places.namespaces:  # services may share a connection string
        names = asked.setdefault(namespace.connection_string, dict.fromkeys(expected.entities))
        names |= dict.fromkeys(entities.entities_of(places, namespace.setting.service))
    bus = Looks(
        {
            text: partial(look_at_entities, text, names, expected.rules, seconds)
            for text, names in asked.items()
            if text
        },
        seconds,
    )
    wanted: dict[str, dict[str, None]] = {}
    for account in places.accounts:
        names = wanted.setdefault(account.connection_string, dict.fromkeys(expected.containers))
        names |= dict.fromkeys(containers.named_by(places, account.setting.service))
    accounts = Looks(
        {text: partial(look_at_account, text, names, seconds) for text, names in wanted.items() if text}, seconds
    )
    return stores.found(), bus.found(), accounts.found()


def _clocks(places: Places, stores: Databases, accounts: Accounts) -> Iterator[tuple[str, str, Clock]]:
    for database in places.databases:
        there = stores[database.dsn]
        if isinstance(there, FoundDatabase) and there.clock is not None:
            yield f"the database {database.address}", database.setting.where, there.clock
    for account in places.accounts:
        answer = accounts.get(account.connection_string)
        if isinstance(answer, FoundAccount) and answer.clock is not None:
            yield f"the storage account {account.address}", account.setting.where, answer.clock


def _schemas(places: Places, expected: Expected, stores: Databases) -> Iterator[Report]:
    if expected.schema is None:
        return
    judged = set()
    for each in places.databases:
        there = stores[each.dsn]
        if isinstance(there, FoundDatabase) and there.identity not in judged:
            judged.add(there.identity)
            yield schema.judge(expected.schema, there, each.setting.where, each.address)
