"""Keeps the caller's environment from diverting connections on this machine: proxies, and what libpq takes from variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Of libpq 18. Each of them changes connections whose URL says nothing of it; `PGSERVICE` even those whose URL says all.
_LIBPQ = frozenset(
    [
        "PGAPPNAME",
        "PGCHANNELBINDING",
        "PGCLIENTENCODING",
        "PGCONNECT_TIMEOUT",
        "PGDATABASE",
        "PGDATESTYLE",
        "PGGEQO",
        "PGGSSDELEGATION",
        "PGGSSENCMODE",
        "PGGSSLIB",
        "PGHOST",
        "PGHOSTADDR",
        "PGKRBSRVNAME",
        "PGLOADBALANCEHOSTS",
        "PGLOCALEDIR",
        "PGMAXPROTOCOLVERSION",
        "PGMINPROTOCOLVERSION",
        "PGOPTIONS",
        "PGPASSFILE",
        "PGPASSWORD",
        "PGPORT",
        "PGREQUIREAUTH",
        "PGREQUIREPEER",
        "PGREQUIRESSL",
        "PGSERVICE",
        "PGSERVICEFILE",
        "PGSSLCERT",
        "PGSSLCERTMODE",
        "PGSSLCOMPRESSION",
        "PGSSLCRL",
        "PGSSLCRLDIR",
        "PGSSLKEY",
        "PGSSLMAXPROTOCOLVERSION",
        "PGSSLMINPROTOCOLVERSION",
        "PGSSLMODE",
        "PGSSLNEGOTIATION",
        "PGSSLROOTCERT",
        "PGSSLSNI",
        "PGSYSCONFDIR",
        "PGTARGETSESSIONATTRS",
        "PGTZ",
        "PGUSER",
    ]
)


def undiverted(environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment, in which no proxy is used for this machine and libpq finds nothing of its own."""
    kept = {name: value for name, value in environment.items() if name not in _LIBPQ}
    for name in ("NO_PROXY", "no_proxy"):  # some read the one, some the other
        named = [host.strip() for host in kept.get(name, "").split(",") if host.strip()]
        kept[name] = ",".join([*named, *(host for host in _LOOPBACK if host not in named)])
    return kept


def keep_to_loopback(environment: MutableMapping[str, str] = os.environ) -> None:
    """Change an environment, that of this process unless another is given, to what `undiverted` makes of it."""
    wanted = undiverted(environment)
    for name in set(environment) - set(wanted):
        del environment[name]
    environment.update(wanted)
