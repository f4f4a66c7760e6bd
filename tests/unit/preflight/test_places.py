"""What the variables of a service name, in every form in which people write it."""

from __future__ import annotations

import pytest

from peeklock.preflight.places import Places, read
from peeklock.preflight.settings import Setting

KEY = "s3cret+key/with=signs"


def places(**variables: str) -> Places:
    return read(Setting("api", name, value, f"api.env ({name})") for name, value in variables.items())


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:pw@db.example:5433/orders?sslmode=require",
        "postgres://u:pw@db.example:5433/orders",
        "postgresql://u:pw@db.example:5433,standby.example:5433/orders",
        "jdbc:postgresql://db.example:5433/orders?user=u&password=pw",
        "postgresql+psycopg://u:pw@db.example:5433/orders",
        "host=db.example port=5433 dbname=orders user=u password='p w'",
        "Host=db.example;Port=5433;Database=orders;Username=u;Password=p w",
    ],
)
def test_a_database_in_each_form(value: str) -> None:
    (found,) = places(ANY_NAME=value).databases
    assert found.address == "db.example:5433/orders"


def test_a_database_in_the_variables_of_libpq() -> None:
    (found,) = places(PGHOST="db.example", PGDATABASE="orders", PGUSER="u", PGPASSWORD="it's").databases
    assert (found.address, "password='it\\'s'" in found.dsn) == ("db.example:5432/orders", True)


@pytest.mark.parametrize(
    ("name", "value", "address"),
    [
        ("BUS", f"Endpoint=sb://Ns.servicebus.windows.net/;SharedAccessKeyName=app;SharedAccessKey={KEY}", "ns.servicebus.windows.net"),
        ("BUS", f"Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=app;SharedAccessKey={KEY};UseDevelopmentEmulator=true;", "127.0.0.1:5672"),
        ("AZURE_SERVICEBUS_NAMESPACE", "contoso-orders", "contoso-orders.servicebus.windows.net"),
        ("ServiceBus__fullyQualifiedNamespace", "contoso-orders.servicebus.windows.net", "contoso-orders.servicebus.windows.net"),
    ],
)  # fmt: skip
def test_a_namespace_in_each_form(name: str, value: str, address: str) -> None:
    (found,) = places(**{name: value}).namespaces
    assert (found.address, found.connection_string) == (address, value if "Key" in value else "")


@pytest.mark.parametrize(
    ("name", "value", "address"),
    [
        ("BLOBS", f"DefaultEndpointsProtocol=https;AccountName=pics;AccountKey={KEY};EndpointSuffix=core.windows.net", "pics.blob.core.windows.net"),
        ("BLOBS", f"AccountName=pics;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/pics;", "127.0.0.1:10000/pics"),
        ("BLOBS", "UseDevelopmentStorage=true", "127.0.0.1:10000/devstoreaccount1"),
        ("BLOBS", "https://pics.blob.core.windows.net/?sv=2024-01-01&sig=abcd", "pics.blob.core.windows.net"),
        ("AZURE_STORAGE_ACCOUNT", "pics", "pics.blob.core.windows.net"),
    ],
)  # fmt: skip
def test_an_account_in_each_form(name: str, value: str, address: str) -> None:
    (found,) = places(**{name: value}).accounts
    assert found.address == address


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("IMAGE_QUERIES_QUEUE", "image-queries", "queue"),
        ("ServiceBus__QueueName", "jobs", "queue"),
        ("ORDERS_TOPIC_NAME", "orders", "topic"),
        ("AZURE_STORAGE_RAW_CONTAINER", "raw-images", "container"),
        ("QUEUE_LENGTH", "5", None),
        ("MAX_QUEUE", "5", None),
        ("QUEUE_BACKEND", "servicebus", None),
        ("LOG_LEVEL", "INFO", None),
    ],
)
def test_names_are_known_by_their_variables(name: str, value: str, kind: str | None) -> None:
    assert [each.kind for each in places(**{name: value}).named] == ([kind] if kind else [])


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:p@ss/w#rd:Sec@db.example/orders",
        "postgresql://u:pw@db.example:port/orders",
        "postgresql://u:w#rd\u2100@db.example/orders",
        "postgresql://u:w#rd@[db.example/orders",
        "Endpoint=sb://;SharedAccessKeyName=app;SharedAccessKey=",
    ],
)
def test_what_cannot_be_read_is_a_finding_and_shows_nothing_of_it(value: str) -> None:
    found = places(DATABASE_URL=value)
    assert [each.name for each in found.unreadable] == ["setting-unreadable"]
    assert value not in found.unreadable[0].text()
    assert "w#rd" not in found.unreadable[0].text()


def test_no_secret_is_in_what_places_show_of_themselves() -> None:
    shown = repr(
        places(
            DATABASE_URL="postgresql://u:pass-word@h/d",
            BUS=f"Endpoint=sb://h/;SharedAccessKeyName=a;SharedAccessKey={KEY}",
            BLOBS=f"AccountName=pics;AccountKey={KEY}",
        )
    )
    assert KEY not in shown
    assert "pass-word" not in shown


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:hunter-22@h/d",
        "postgresql://h/d?user=u&password=hunter-22",
        "host=h dbname=d password='hunter-22'",
        "Host=h;Database=d;Password=hunter-22",
        "https://pics.blob.core.windows.net/?sv=1&sig=hunter-22",
        "AccountName=pics;SharedAccessSignature=sv=1&sig=hunter-22",
    ],
)
def test_a_secret_is_hidden_in_each_form(value: str) -> None:
    assert "hunter-22" in places(SOMETHING=value).hidden()


def test_a_password_that_is_the_name_of_the_database_does_not_hide_it() -> None:
    """Else nobody could be told which database that is."""
    assert places(DATABASE_URL="postgresql://postgres:postgres@localhost/postgres").hidden() == []
