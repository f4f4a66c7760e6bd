"""An environment with a stack of its own: nothing that is done to its dependencies is felt by others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest

from peeklock.errors import PeeklockError
from peeklock.stack.local import LocalStack
from peeklock.stack.open import find_warm
from peeklock.stack.warm import lifecycle as warm
from tests.conformance.stack.conftest import Project


def ports(endpoints: object) -> list[int | None]:
    return [
        urlsplit(str(getattr(endpoints, name)).removeprefix("Endpoint=").split(";")[0]).port
        for name in ("postgres_url", "servicebus_connection_string")
    ]


def test_it_shares_no_server_and_ends_with_its_environment(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        shared = stack.environment(project.spec(name="shared", blobs=False, services={}))
        own = stack.environment(project.spec(name="own", blobs=False, services={}, private=True))
        assert not set(ports(shared.endpoints)) & set(ports(own.endpoints))
        assert (stack.log_dir / "own.stack" / "postgres.log").exists()
        own.close()
        shared.check()
        with pytest.raises(PeeklockError):
            own.check()


def test_it_ends_with_the_stack_that_it_was_asked_of(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    with backend.start(project.root, room=2) as stack:
        stack.environment(project.spec(name="own", blobs=False, private=True))
    nothing_left()


def test_a_warm_stack_is_not_touched(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    warm.up(project.root)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(warm.down, project.root)
        found = find_warm(project.root)
        assert found is not None
        with found:
            own = found.environment(project.spec(name="own", blobs=False, private=True, key="k"))
            assert urlsplit(own.endpoints.postgres_url or "").port != warm.status(project.root).ports["postgres"]
            own.close()
            assert warm.status(project.root).environments == ()


def test_one_that_is_kept_stays_until_the_warm_stack_goes_down(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    """As its last case has left it, to be looked at; the next run that keeps one of the same file takes its place."""
    warm.up(project.root)
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(warm.down, project.root)
        before = None
        for number in (1, 2):
            found = find_warm(project.root)
            assert found is not None
            found.keeping = True
            with found:
                own = found.environment(project.spec(name="own", blobs=False, private=True))
                with psycopg.connect(own.endpoints.postgres_url or "") as connection:
                    connection.execute("insert into things values (%s)", (number,))
                url = own.endpoints.postgres_url or ""
                own.services.pause("api")
                own.close()
            (kept,) = warm.status(project.root).kept
            assert (kept.name, kept.ports["postgres"]) == ("own", urlsplit(url).port)
            with psycopg.connect(url) as connection:
                assert connection.execute("select id from things order by id").fetchall() == [(number,), (7,)]
            if before is not None:
                with pytest.raises(psycopg.OperationalError):
                    psycopg.connect(before, connect_timeout=5)
            before = url
        assert warm.down(project.root)
        assert not warm.down(project.root)
    nothing_left()


def test_one_that_does_not_stand_leaves_nothing(
    backend: type[LocalStack], project: Project, nothing_left: Callable[[], None]
) -> None:
    broken = {"api": project.service().model_copy(update={"run": ["python", "-c", "raise SystemExit(3)"]})}
    with backend.start(project.root, room=2) as stack, pytest.raises(PeeklockError, match="ended before it was ready"):
        stack.environment(project.spec(name="own", blobs=False, services=broken, private=True))
    nothing_left()
