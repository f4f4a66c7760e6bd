"""The Postgres that a scenario file stands on: which one, and what is in it when a case begins."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from peeklock.scenario.fields import FilePath, Model

OLDEST = 14
"""The first version whose `initdb` and `DROP DATABASE` know all that is asked of them."""
_OURS = frozenset(
    {"config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port", "unix_socket_directories"}
)
"""Settings by which the server is found; a file cannot have its own."""


def _image(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\w[\w.:-]*(/[\w.-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?", value):
        raise ValueError(f"not an image: {value!r}; write it as `docker pull` takes it: postgis/postgis:16-3.4")
    return value


ImageName = Annotated[str, BeforeValidator(_image, json_schema_input_type=str)]
"""As an engine pulls it."""


def _extension(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w-]{0,62}", value):
        raise ValueError(f"not an extension's name: {value!r}; write it as CREATE EXTENSION takes it: vector, pgcrypto")
    return value


ExtensionName = Annotated[str, BeforeValidator(_extension, json_schema_input_type=str)]
"""As `CREATE EXTENSION` takes it."""


class Postgres(Model):
    """A database of its own for each scenario file, cloned from a migrated template for each case."""

    migrations: FilePath | None = Field(
        None, description="a folder with an alembic.ini, or with *.sql files that run in the order of their names"
    )
    seed: list[FilePath] = Field([], description="SQL files that run after the migrations, once, into the template")
    version: int | None = Field(
        None, ge=OLDEST, lt=100, description="the major version: 15; absent: that of the image, else the packaged one"
    )
    image: ImageName | None = Field(
        None, description="what containers run: postgres:15, postgis/postgis:16-3.4; a process takes its version"
    )
    extensions: list[ExtensionName] = Field([], description="created before the migrations: vector, pgcrypto")
    settings: dict[str, str | int | float | bool] = Field(
        {}, description="of the server, as in postgresql.conf: {max_connections: 50, shared_preload_libraries: pg_cron}"
    )

    transactions: bool = Field(
        False, description="see what services change in it, in report.html: they reach it through a relay"
    )
    url: str | None = Field(
        None, description="one that runs elsewhere: its URL without a password, or the environment variable that has it"
    )

    @model_validator(mode="after")
    def _elsewhere(self) -> Postgres:
        if self.url is None:
            return self
        if self.version is not None or self.image is not None or self.settings:
            raise ValueError("the server at `url` is what it is: leave version, image and settings out")
        if not re.fullmatch(r"[A-Za-z_]\w*", self.url):
            parts = urlsplit(self.url)
            if parts.scheme not in ("postgresql", "postgres") or not parts.hostname:
                raise ValueError("write postgresql://USER@HOST:PORT/DATABASE, or the name of an environment variable")
            if parts.password is not None:
                raise ValueError(
                    "a password in a file: name an environment variable that has the URL, or set PGPASSWORD"
                )
        return self

    @model_validator(mode="after")
    def _agrees(self) -> Postgres:
        told = None if self.image is None else major_of(self.image)
        if self.version is not None and told is not None and told != self.version:
            raise ValueError(f"version says {self.version} and the image {self.image} is {told}: say one of them")
        for name in self.settings:
            if name in _OURS:
                raise ValueError(f"the setting {name} is Peeklock's: by it the server is found")
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
                raise ValueError(f"not a setting's name: {name!r}")
        return self

    @property
    def major(self) -> int | None:
        """The version that is asked for; None where any will do, and where an image is named that does not tell it."""
        return self.version if self.version is not None or self.image is None else major_of(self.image)


def major_of(image: str) -> int | None:
    """Return the version of Postgres that an image's tag tells: 16 of `postgis/postgis:16-3.4`, 15 of `x/timescaledb:2.11.1-pg15`."""
    _, colon, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    if not colon:
        return None
    found = re.search(r"pg(\d\d)(?!\d)", tag) or re.match(r"(\d\d)(?!\d)", tag)
    return None if found is None else int(found[1])
