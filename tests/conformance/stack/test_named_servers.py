"""Files that name their servers stand on these, and share them with files that name the same."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import docker
import psycopg
import pytest

from peeklock.scenario.topology import Stack
from peeklock.stack.backend import EnvironmentSpec
from peeklock.stack.containers.images import reference
from peeklock.stack.containers.images.build import build
from peeklock.stack.containers.stack import ContainersStack
from peeklock.stack.embedded.installed_postgres import installed
from peeklock.stack.errors import StackError
from peeklock.stack.local import LocalStack
from tests.conformance.stack.conftest import Project
from tests.conformance.stack.engine import engine_or_skip

FIFTEEN = next((each for each in installed() if each.major == 15), None)
on_fifteen = pytest.mark.skipif(FIFTEEN is None, reason="no Postgres 15 here: apt-get install postgresql-15")
AZURITE = b"""#!/usr/bin/node
const [word, ...options] = process.argv.slice(1);
for (const needed of ["--blobHost", "--blobPort", "--skipApiVersionCheck"])
  if (!options.includes(needed)) throw new Error(`azurite-blob was not given ${needed}`);
require("/usr/share/azurite/azurite-blob.cjs");
"""
"""As the official image has it: a program on PATH, which listens on loopback unless it is told otherwise."""


def naming(project: Project, **stack: Any) -> EnvironmentSpec:
    """A spec of the project's whose file names servers, without services."""
    spec = project.spec(name="named", services={}, servicebus=False, blobs="blobs" in stack)
    files = {"migrations": str(project.root / "migrations")}
    wanted = {kind: {**(files if kind == "postgres" else {}), **facts} for kind, facts in stack.items()}
    return replace(spec, stack=Stack.model_validate(wanted))


def asked(url: str | None, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url or "") as connection:
        return connection.execute(query).fetchall()


@on_fifteen
def test_postgres_15_beside_the_usual_one(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    told: list[str] = []
    fifteen = {"version": 15, "extensions": ["pgcrypto"], "settings": {"work_mem": "5MB", "row_security": True}}
    with backend.start(project.root, room=2, progress=told.append) as stack:
        usual = stack.environment(project.spec(services={}, blobs=False, servicebus=False))
        named = stack.environment(naming(project, postgres=fifteen))
        same = stack.environment(replace(naming(project, postgres=fifteen), name="same"))
        major = "SELECT current_setting('server_version_num')::int / 10000"
        urls = [each.endpoints.postgres_url for each in (usual, named, same)]
        assert [asked(url, major)[0][0] for url in urls] == [18, 15, 15]
        assert urls[1].rpartition("/")[0] == urls[2].rpartition("/")[0]
        assert asked(urls[1], "SELECT current_setting('work_mem'), digest('', 'md5') IS NOT NULL") == [("5MB", True)]
        assert asked(urls[1], "SELECT id FROM things") == [(7,)]
        asked(urls[1], "DELETE FROM things RETURNING id")
        named.reset()
        assert asked(urls[1], "SELECT id FROM things") == [(7,)]
    assert any("15" in each for each in told), told
    nothing_left()


def test_an_extension_that_the_server_has_not(backend: type[LocalStack], project: Project) -> None:
    with (
        backend.start(project.root, room=1) as stack,
        pytest.raises(StackError, match="has no extension no_such_thing"),
    ):
        stack.environment(naming(project, postgres={"extensions": ["no_such_thing"]}))


@pytest.fixture
def official() -> Iterator[dict[str, str]]:
    """Images under names that are not ours, which take what the official ones are given."""
    engine = engine_or_skip()
    client = docker.DockerClient(base_url=engine.address)
    names = {"postgres": "registry.example/postgres:15", "azurite": "registry.example/azurite:3"}
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        lines = f"FROM {reference('azurite')}\nCOPY azurite-blob /usr/local/bin/\nENTRYPOINT []\nCMD []\n"
        for name, content, mode in (("Dockerfile", lines.encode(), 0o644), ("azurite-blob", AZURITE, 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    context.seek(0)
    client.images.build(fileobj=context, custom_context=True, tag=names["azurite"], rm=True)
    client.images.get(build("postgres", major=15).reference).tag(names["postgres"])
    yield names
    for name in names.values():
        client.images.remove(name)
    client.close()


@on_fifteen
def test_images_that_are_not_ours_are_given_what_the_official_ones_take(
    official: dict[str, str], project: Project, nothing_left: Callable[[], None]
) -> None:
    told: list[str] = []
    spec = naming(
        project, postgres={"image": official["postgres"]}, blobs={"image": official["azurite"], "containers": ["abc"]}
    )
    with ContainersStack.start(project.root, room=1, progress=told.append) as stack:
        assert stack.lacks(spec.stack) == ""
        environment = stack.environment(spec)
        shown = asked(environment.endpoints.postgres_url, "SELECT current_setting('fsync'), current_setting('jit')")
        assert shown == [("off", "off")]
        assert stack.servers.timings == {}
    assert sorted(each for each in told if "as named" in each) == [
        f"blobs: {official['azurite']} (as named)", f"postgres: {official['postgres']} (as named)"
    ]  # fmt: skip
    nothing_left()


def test_an_image_that_no_registry_gives_is_a_reason_to_skip(project: Project) -> None:
    """The address is this machine's own, where nobody listens: the engine says so at once."""
    engine_or_skip()
    with ContainersStack.start(project.root, room=1) as stack:
        told = stack.lacks(Stack.model_validate({"postgres": {"image": "127.0.0.1:9/postgres:99"}}))
    assert "127.0.0.1:9/postgres:99 cannot be had" in told
    assert "cannot be pulled" in told
    assert "apt-get install postgresql-99" in told
