"""The databases, namespaces, storage accounts and entities that variables name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from peeklock.connection_strings import parts_of
from peeklock.preflight.findings import Finding
from peeklock.preflight.settings import Setting


@dataclass(frozen=True, slots=True)
class Database:
    """A Postgres database that a variable names."""

    setting: Setting
    host: str
    port: int
    name: str
    dsn: str = field(repr=False)
    """As libpq reads it."""

    @property
    def address(self) -> str:
        """`host:port/database`, without user and password."""
        return f"{self.host}:{self.port}/{self.name}"


@dataclass(frozen=True, slots=True)
class Namespace:
    """A Service Bus namespace that a variable names."""

    setting: Setting
    address: str
    """`host`, or `host:port`, in lower case."""
    rule: str = ""
    """The access rule; empty where the service signs in with an identity."""
    connection_string: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account that a variable names."""

    setting: Setting
    address: str
    """Endpoint of its blobs, without scheme: `name.blob.core.windows.net`, `127.0.0.1:10000/name`."""
    connection_string: str = field(default="", repr=False)
    """Or the URL with its SAS; empty where the service signs in with an identity."""


@dataclass(frozen=True, slots=True)
class Named:
    """A queue, topic, subscription or container that a variable names."""

    setting: Setting
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that the variables of some services name."""

    services: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    accounts: tuple[Account, ...] = ()
    named: tuple[Named, ...] = ()
    unreadable: tuple[Finding, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Keys, passwords and tokens, each in every form in which it stands somewhere."""

    def hidden(self) -> list[str]:
        """Return the secrets that must be masked: all but those that a name holds, which has to be told. `postgres` with
        the password `postgres` is what half of all databases at a developer's are called."""
        named = [*self.services, *(each.name for each in self.named), *(each.address for each in self.databases)]
        named += [text for each in self.namespaces for text in (each.address, each.rule)]
        named += [each.address for each in self.accounts]
        return [secret for secret in self.secrets if not any(secret in name for name in named)]

    def by_identity(self) -> list[Namespace | Account]:
        """Return what services reach without a key."""
        return [
            *(each for each in self.namespaces if not each.connection_string),
            *(each for each in self.accounts if not each.connection_string),
        ]

    def of_kind(self, kind: str) -> list[Named]:
        """Return the names of one kind."""
        return [each for each in self.named if each.kind == kind]


_KINDS = ("queue", "topic", "subscription", "container")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENTITY = re.compile(r"[A-Za-z0-9$](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?")
_NAMESPACE_HOST = re.compile(r"(?:sb://)?([a-z0-9-]+\.servicebus\.[a-z0-9.]+?)(?::443|:5671)?/?", re.IGNORECASE)
_BLOB_URL = re.compile(r"https?://([^/?#]+\.blob\.[a-z0-9.]+)/?(\?.*)?", re.IGNORECASE)
_DATABASE_URL = re.compile(r"(?:jdbc:)?(postgres(?:ql)?)(?:\+\w+)?://", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^:/@]*:(.*)@", re.DOTALL)
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY$", re.IGNORECASE)
_LIBPQ = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER", "password": "PGPASSWORD"}
_NPGSQL = {"host": "host", "server": "host", "port": "port", "database": "dbname", "username": "user", "user id": "user", "password": "password"}  # fmt: skip
_DEVELOPMENT_ACCOUNT = "devstoreaccount1"


def read(settings: Iterable[Setting]) -> Places:
    """Return what the variables name. What looks like an address and cannot be read becomes a finding of its own."""
    every = list(settings)
    databases: list[Database] = []
    namespaces: list[Namespace] = []
    accounts: list[Account] = []
    named: list[Named] = []
    unreadable: list[Finding] = []
    secrets = [each.value for each in every if _SECRET_NAME.search(each.variable)]
    for setting in every:
        value, parts = setting.value, parts_of(setting.value)
        keys = {key.lower(): text for key, text in parts.items()}
        secrets += _secrets(setting, keys)
        try:
            if _DATABASE_URL.match(value):
                databases.append(_database(setting))
            elif re.search(r"\bhost\s*=\s*\S+.*\bdbname\s*=", value, re.DOTALL):
                databases.append(_keyword_database(setting))
            elif {"host", "server"} & keys.keys() and "database" in keys:
                databases.append(_npgsql_database(setting, keys))
            elif "endpoint" in keys and "sharedaccesskeyname" in keys:
                namespaces.append(_namespace(setting, keys))
            elif "accountname" in keys or "blobendpoint" in keys or "usedevelopmentstorage" in keys:
                accounts.append(_account(setting, keys))
            elif found := _BLOB_URL.fullmatch(value):
                accounts.append(Account(setting, found[1].lower(), value if found[2] else ""))
            elif found := _NAMESPACE_HOST.fullmatch(value):
                namespaces.append(Namespace(setting, found[1].lower()))
            else:
                _by_variable(setting, namespaces, accounts, named)
        except ValueError as error:
            unreadable.append(
                Finding(
                    "setting-unreadable",
                    f"{setting.variable} cannot be read",
                    setting.where,
                    actual=str(error),
                    fix="correct the variable; a password in a URL is percent-encoded: @ as %40, / as %2F, # as %23",
                )
            )
    databases += _libpq_databases(every)
    services = tuple(dict.fromkeys(each.service for each in every))
    return Places(services, tuple(databases), tuple(namespaces), tuple(accounts), tuple(named), tuple(unreadable), tuple(dict.fromkeys(filter(None, secrets))))  # fmt: skip


def words(variable: str) -> list[str]:
    """Return the words of a variable's name, in capitals: `ServiceBus__QueueName` is SERVICE, BUS, QUEUE, NAME."""
    return [word.upper() for word in _WORD.findall(variable)]


def _secrets(setting: Setting, keys: dict[str, str]) -> list[str]:
    """Return what must not be shown of one value, whether it can be read or not."""
    found = [keys[key] for key in ("sharedaccesskey", "accountkey", "password", "sharedaccesssignature") if key in keys]
    if raw := _PASSWORD.search(setting.value):
        # one that is not encoded is taken apart by whoever reads the URL: each part must stay hidden
        found += [raw[1], unquote(raw[1]), *(piece for piece in re.split(r"[@:/?#\s]", raw[1]) if len(piece) > 2)]
    for in_query in re.findall(r"(?:[?&]password|\bsig)=([^&;\s]+)", setting.value):
        found += [in_query, unquote(in_query)]
    if keyword := re.search(r"\bpassword\s*=\s*('(?:\\.|[^'])*'|\S+)", setting.value):
        found.append(keyword[1].strip("'"))
    return found


def _database(setting: Setting) -> Database:
    url = _DATABASE_URL.sub("postgresql://", setting.value, count=1)
    raw = _PASSWORD.search(url)
    try:
        parts = urlsplit(url)
    except ValueError:  # its text repeats a part of the URL
        raise ValueError("it is no URL") from None
    query = parse_qs(parts.query)
    if raw is not None and raw[1] != (parts.password or ""):
        raise ValueError("the password holds characters that end it, or the host, too early")
    try:
        first = parts._replace(netloc=parts.netloc.rpartition("@")[2].partition(",")[0])  # libpq takes several
        host, port = first.hostname or query.get("host", ["localhost"])[0], first.port or 5432
    except ValueError:
        raise ValueError("the port is no number") from None
    name = unquote(parts.path.lstrip("/")) or query.get("dbname", [unquote(parts.username or "")])[0]
    return Database(setting, host, port, name, url)


def _keyword_database(setting: Setting) -> Database:
    found = {
        key.lower(): text.strip("'").replace("\\'", "'")
        for key, text in re.findall(r"(\w+)\s*=\s*('(?:\\.|[^'])*'|\S+)", setting.value)
    }
    return _from_keywords(setting, found)


def _npgsql_database(setting: Setting, keys: dict[str, str]) -> Database:
    return _from_keywords(
        setting, {_NPGSQL[key.strip()]: text.strip() for key, text in keys.items() if key.strip() in _NPGSQL}
    )


def _libpq_databases(settings: Sequence[Setting]) -> list[Database]:
    """Return the database that PGHOST and the like name together, by service."""
    found: list[Database] = []
    for service in dict.fromkeys(each.service for each in settings):
        own = {each.variable: each for each in settings if each.service == service}
        if "PGHOST" in own and "PGDATABASE" in own:
            told = {key: own[variable].value for key, variable in _LIBPQ.items() if variable in own}
            found.append(_from_keywords(own["PGHOST"], told))
    return found


def _from_keywords(setting: Setting, found: dict[str, str]) -> Database:
    port = found.get("port") or "5432"
    if not port.isdigit():
        raise ValueError("the port is no number")
    quoted = {key: text.replace("\\", "\\\\").replace("'", "\\'") for key, text in found.items()}
    dsn = " ".join(f"{key}='{text}'" for key, text in quoted.items())
    host = found.get("host") or "localhost"
    return Database(setting, host, int(port), found.get("dbname") or found.get("user", ""), dsn)


def _namespace(setting: Setting, keys: dict[str, str]) -> Namespace:
    address = keys["endpoint"].partition("://")[2].rstrip("/").lower()
    if not address or not keys.get("sharedaccesskey"):
        raise ValueError("a connection string needs Endpoint=sb://…, SharedAccessKeyName and SharedAccessKey")
    if (port := address.partition(":")[2]) and not port.isdigit():
        raise ValueError("the port of the endpoint is no number")
    return Namespace(setting, address, keys["sharedaccesskeyname"], setting.value)


def _account(setting: Setting, keys: dict[str, str]) -> Account:
    if keys.get("usedevelopmentstorage", "").lower() == "true":
        return Account(setting, f"127.0.0.1:10000/{_DEVELOPMENT_ACCOUNT}", setting.value)
    name, endpoint = keys.get("accountname", ""), keys.get("blobendpoint", "")
    if not endpoint and not name:
        raise ValueError("a connection string needs AccountName, or BlobEndpoint")
    suffix = keys.get("endpointsuffix", "core.windows.net")
    address = endpoint.partition("://")[2].rstrip("/") if endpoint else f"{name}.blob.{suffix}"
    return Account(setting, address.lower(), setting.value)


def _by_variable(setting: Setting, namespaces: list[Namespace], accounts: list[Account], named: list[Named]) -> None:
    """Take a plain name by what its variable is called."""
    told, value = words(setting.variable), setting.value
    last = told[-2] if told[-1:] == ["NAME"] and len(told) > 1 else "".join(told[-1:])
    bus = "SERVICEBUS" in told or ("SERVICE" in told and "BUS" in told)
    if last == "NAMESPACE" and bus and re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]", value):
        namespaces.append(Namespace(setting, f"{value.lower()}.servicebus.windows.net"))
    elif last == "ACCOUNT" and "STORAGE" in told and re.fullmatch(r"[a-z0-9]{3,24}", value):
        accounts.append(Account(setting, f"{value}.blob.core.windows.net"))
    elif last.lower() in _KINDS and not value.isdigit() and _ENTITY.fullmatch(value):
        named.append(Named(setting, last.lower(), value))
