"""The warm stack: up once, used by other processes, gone with `down`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.stack.errors import StackError
from peeklock.stack.open import find_warm, open_stack
from peeklock.stack.project.folder import ProjectFolder
from peeklock.stack.warm import lifecycle as warm
from tests.conformance.stack.conftest import Driver, Project

RUN = """
import json, os, sys
from pathlib import Path
from tests.conformance.stack.conftest import Project
from peeklock.stack.open import find_warm, open_stack
project = Project.__new__(Project)
project.root = Path(sys.argv[1])
stack = open_stack(project.root)
environment = stack.environment(project.spec(key="k"))
pids = [child["pid"] for child in stack._supervisor.call("children", prefix="env")["children"]]
print(json.dumps({"warm": stack.warm, "url": environment.services.url("api"), "pids": pids}), flush=True)
if len(sys.argv) > 2 or os.environ.get("STAY"):
    sys.stdin.read()
stack.close()
"""


@pytest.fixture
def up(project: Project, nothing_left: Callable[[], None]) -> Iterator[warm.Status]:
    yield warm.up(project.root)
    warm.down(project.root)
    nothing_left()


def test_up_is_used_by_other_processes_and_down_leaves_nothing(
    up: warm.Status, project: Project, driver: Callable[[str], Driver]
) -> None:
    assert up.up
    first = json.loads(driver(RUN).line())
    second = json.loads(driver(RUN).line())
    assert first["warm"]
    assert first == second  # the same processes: they were not started again
    status = warm.status(project.root)
    assert status.environments == ("demo",)
    assert "demo/api.0" in {process.name for process in status.processes}
    assert warm.down(project.root)
    assert not warm.status(project.root).up
    assert not warm.down(project.root)


def test_up_twice_is_one_stack(up: warm.Status, project: Project) -> None:
    assert warm.up(project.root).pid == up.pid


def test_runs_in_parallel_get_environments_of_their_own(up: warm.Status, project: Project) -> None:
    with find_warm(project.root) as one, find_warm(project.root) as two:  # type: ignore[union-attr]
        first, second = one.environment(project.spec(key="k")), two.environment(project.spec(key="k"))
        assert first.endpoints.postgres_url != second.endpoints.postgres_url
    assert warm.status(project.root).in_use == 0


def test_files_of_one_run_get_environments_of_their_own(up: warm.Status, project: Project) -> None:
    """Two files with the same stack and services, side by side in one process: they share the stack and nothing else."""
    with open_stack(project.root) as stack:
        first = stack.environment(project.spec(key="same"))
        second = stack.environment(project.spec(key="same"))
        assert first.endpoints.postgres_url != second.endpoints.postgres_url
        assert first.services.url("api") != second.services.url("api")
        third_url = first.endpoints.postgres_url
        first.close()
        third = stack.environment(project.spec(key="same"))
        assert third.endpoints.postgres_url == third_url  # what was given back is taken up again


def test_a_run_that_is_killed_frees_its_environment(
    up: warm.Status, project: Project, driver: Callable[[str], Driver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAY", "1")
    running = driver(RUN)
    first = json.loads(running.line())
    running.kill()
    monkeypatch.delenv("STAY")
    assert json.loads(driver(RUN).line())["url"] == first["url"]


def test_a_changed_source_file_restarts_the_service(up: warm.Status, project: Project) -> None:
    def pids() -> list[int]:
        with open_stack(project.root) as stack:  # type: ignore[attr-defined]
            stack.environment(project.spec(key="k"))
            return [child["pid"] for child in stack._supervisor.call("children", prefix="env")["children"]]

    first = pids()
    assert pids() == first
    os.utime(project.root / "api.py", (1, 1))
    assert pids() != first


def test_a_changed_migration_is_seen_by_the_next_run(up: warm.Status, project: Project) -> None:
    import psycopg

    for count in (1, 2):
        with open_stack(project.root) as stack:  # type: ignore[attr-defined]
            environment = stack.environment(project.spec(key="k"))
            with psycopg.connect(environment.endpoints.postgres_url or "") as connection:
                assert connection.execute("select count(*) from things").fetchone() == (count,)
        (project.root / "migrations" / "2.sql").write_text("insert into things values (8);")


def test_reset_takes_down_what_nobody_uses(up: warm.Status, project: Project) -> None:
    with open_stack(project.root) as stack:  # type: ignore[attr-defined]
        stack.environment(project.spec(key="k"))
        assert warm.reset(project.root) == 0
    assert warm.reset(project.root) == 1
    assert warm.status(project.root).environments == ()


def test_a_stack_of_ones_own_beside_a_warm_one(up: warm.Status, project: Project) -> None:
    with open_stack(project.root, warm="never") as stack:  # type: ignore[attr-defined]
        assert not stack.warm
        stack.environment(project.spec(key="k"))


def test_a_warm_stack_of_other_images_is_left_alone_and_told_of(
    up: warm.Status, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EmbeddedStack, "is_current", classmethod(lambda cls, state: False))
    said: list[str] = []
    with open_stack(project.root, progress=said.append) as stack:  # type: ignore[attr-defined]
        assert not stack.warm
    assert said == ["the stack that is up is made of other images than those of now: `peeklock up` makes it anew"]
    renewed = warm.up(project.root)
    assert (renewed.up, renewed.pid == up.pid) == (True, False)


def test_the_socket_of_a_dead_supervisor_is_recognised_and_removed(up: warm.Status, project: Project) -> None:
    folder = ProjectFolder(project.root)
    socket = folder.socket_path()  # elsewhere when the path of the test's own folder is a long one
    os.kill(up.pid or 0, signal.SIGKILL)
    while socket.exists():  # the guard tidies up
        warm.status(project.root)
    folder.mark.touch()
    socket.touch()
    assert not warm.status(project.root).up
    assert not socket.exists()
    assert not folder.mark.exists()
    assert warm.up(project.root).up


def test_down_keeps_the_templates_for_the_next_stack(
    project: Project, nothing_left: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "migrations" / "3.sql").write_text(f"-- {project.root}")  # no other test has made this one
    said: list[str] = []
    for _ in range(2):
        warm.up(project.root)
        with open_stack(project.root, progress=said.append) as stack:  # type: ignore[attr-defined]
            stack.environment(project.spec(services={}, key="k"))
        warm.down(project.root)
    assert said == ["migrating a template database (migrations)"]


def test_reset_without_a_stack_says_so(project: Project) -> None:
    with pytest.raises(StackError, match="no stack is up"):
        warm.reset(project.root)


def test_nothing_secret_lies_in_the_projects_folder(up: warm.Status, project: Project) -> None:
    with find_warm(project.root) as stack:  # type: ignore[union-attr]
        environment = stack.environment(project.spec(key="k"))
        password = (environment.endpoints.postgres_url or "").split(":")[2].split("@")[0]
        keys = [stack.servers.blobs().key(slot) for slot in range(3)]
    for path in ProjectFolder(project.root).path.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert password not in text
            assert not any(key in text for key in keys)
