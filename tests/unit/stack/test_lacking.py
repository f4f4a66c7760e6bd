"""What a file names that is not installed here is told with what installs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.scenario.topology import Stack
from peeklock.stack.embedded import installed_postgres
from peeklock.stack.embedded.installed_postgres import Postgres
from peeklock.stack.embedded.lacking import lacking


@pytest.fixture(autouse=True)
def _two_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packaged 18 with vector, and a 15 of the system with pgcrypto."""
    there = []
    for version, extension in (("18.6.3", "vector"), ("15.18", "pgcrypto")):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "share" / "extension").mkdir(parents=True)
        (tmp_path / version / "share" / "extension" / f"{extension}.control").touch()
        there.append(Postgres(tmp_path / version / "bin", version))
    monkeypatch.setattr(installed_postgres, "_wheel", lambda: there[0])
    monkeypatch.setattr(installed_postgres, "installed", lambda: tuple(there))
    monkeypatch.setattr("peeklock.stack.embedded.lacking.installed", lambda: tuple(there))


@pytest.mark.parametrize(
    ("postgres", "said"),
    [
        ({}, []),
        ({"version": 15, "extensions": ["pgcrypto"]}, []),
        ({"image": "pgvector/pgvector:pg18", "extensions": ["vector"]}, []),
        ({"version": 16}, ["Postgres 16 is missing", "apt-get install postgresql-16"]),
        ({"image": "postgres:16"}, ["apt-get install postgresql-16"]),
        ({"image": "postgres:latest"}, ["does not tell its version", "`version` beside it"]),
        ({"extensions": ["pgcrypto"]}, ["has no extension pgcrypto", "say `version: 15`"]),
        ({"version": 15, "extensions": ["vector"]}, ["apt-get install postgresql-15-pgvector"]),
        ({"extensions": ["vector", "pgcrypto"]}, ["apt-get install postgresql-15-pgvector", "`version: 15`"]),
    ],
)
def test_a_postgres_that_is_not_here(postgres: dict[str, object], said: list[str]) -> None:
    told = lacking(Stack.model_validate({"postgres": postgres}))
    assert bool(told) == bool(said)
    assert all(each in told for each in said), told


def test_an_image_that_is_no_azurite() -> None:
    assert "is not Azurite" in lacking(Stack.model_validate({"blobs": {"image": "minio/minio:latest"}}))
    assert lacking(Stack.model_validate({"blobs": {"image": "mcr.microsoft.com/azure-storage/azurite:3.35.0"}})) == ""
