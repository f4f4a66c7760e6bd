"""Which Postgres a file asks for."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from peeklock.scenario.postgres import Postgres, major_of


@pytest.mark.parametrize(
    ("image", "major"),
    [
        ("postgres:15", 15),
        ("postgres:16.4-alpine", 16),
        ("postgis/postgis:16-3.4", 16),
        ("pgvector/pgvector:0.8.0-pg17", 17),
        ("registry.example:5000/db/timescaledb:2.11.1-pg15", 15),
        ("postgres:15@sha256:" + "0" * 64, 15),
        ("postgres", None),
        ("postgres:latest", None),
        ("registry.example:5000/postgres", None),
    ],
)
def test_the_tag_of_an_image_tells_its_version(image: str, major: int | None) -> None:
    assert major_of(image) == major
    assert Postgres.model_validate({"image": image}).major == major


def test_the_version_goes_before_a_tag_that_tells_none() -> None:
    assert Postgres.model_validate({"image": "ours/db:latest", "version": 15}).major == 15


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"version": 15, "image": "postgres:16"}, "say one of them"),
        ({"version": 13}, "greater than or equal to 14"),
        ({"settings": {"port": 5432}}, "the setting port is Peeklock's"),
        ({"settings": {"a b": 1}}, "not a setting's name"),
        ({"extensions": ["a; drop table x"]}, "not an extension's name"),
        ({"image": "postgres 15"}, "not an image"),
        ({"image": "--privileged"}, "not an image"),
        ({"url": "DATABASE_URL", "version": 15}, "is what it is"),
        ({"url": "postgresql://me:secret@db/x"}, "a password in a file"),
        ({"url": "mysql://me@db/x"}, "postgresql://USER@HOST"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Postgres.model_validate(given)
