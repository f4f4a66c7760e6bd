"""The `.peeklock` folder: private, with a socket path that a socket can have."""

from __future__ import annotations

import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peeklock.stack.errors import StackError
from peeklock.stack.project.folder import LONGEST_SOCKET_PATH, ProjectFolder, new_folder
from peeklock.stack.project.root import stack_root


def test_it_is_readable_by_its_owner_alone_and_ignored_by_git(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    folder.make()
    assert folder.path.stat().st_mode & 0o077 == 0
    assert (folder.path / ".gitignore").read_text() == "*\n"


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120)
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        path = ProjectFolder(deep).socket_path()
        assert path.parent == Path(runtime) / "peeklock"
        assert path.parent.stat().st_mode & 0o077 == 0
        assert path != ProjectFolder(deep / "other").socket_path()


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_long_temporary_folder_is_no_place_for_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    long = tmp_path / ("t" * 120)
    long.mkdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv(variable, str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert len(str(ProjectFolder(tmp_path / ("d" * 120)).socket_path())) <= LONGEST_SOCKET_PATH


def test_nothing_up_means_no_warm_stack(tmp_path: Path) -> None:
    assert ProjectFolder(tmp_path).connect() is None


def test_nothing_in_the_folder_names_what_is_removed_or_connected_to(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = ProjectFolder(tmp_path)
    folder.make()
    for name in ("stack.json", "stack.up", "kept-x.up"):
        (folder.path / name).write_text(json.dumps({"socket": str(precious)}))
    assert folder.connect() is None
    assert precious.read_text() == "mine"


@pytest.mark.parametrize("name", ["logs", "up.lock", "stack.sock", "stack.up"])
def test_a_link_that_a_clone_has_brought_along_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    (precious / "20200101-000000-1-0001").mkdir(parents=True)
    folder = ProjectFolder(tmp_path)
    folder.make()
    folder.mark.touch()
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).symlink_to(precious)
    for use in (folder.connect, folder.new_log_dir):
        with pytest.raises(StackError, match="not as Peeklock makes it") as caught:
            use()
        assert caught.value.where.endswith(name)
    assert list(precious.iterdir())


def test_the_root_is_the_repository_else_the_nearest_mark_else_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing = tmp_path / "mono" / "services" / "billing"
    (billing / "scenarios").mkdir(parents=True)
    (billing / "pyproject.toml").touch()
    (tmp_path / "mono" / ".git").mkdir()
    for here in (tmp_path / "mono", billing):
        monkeypatch.chdir(here)
        assert stack_root() == stack_root(billing / "scenarios" / "a.yaml") == tmp_path / "mono"
    (tmp_path / "mono" / ".git").rmdir()
    assert stack_root() == stack_root(billing / "scenarios") == billing
    plain = tmp_path / "plain"
    (plain / "tests" / "e2e").mkdir(parents=True)
    monkeypatch.chdir(plain)
    assert stack_root() == stack_root(Path("tests/e2e")) == plain
    (plain / ".peeklock").mkdir()
    monkeypatch.chdir(plain / "tests")
    assert stack_root() == stack_root(Path("e2e")) == plain


def test_logs_of_the_last_ten_stacks_stay(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    made = [folder.new_log_dir() for _ in range(13)]
    assert len(set(made)) == 13
    assert len(list((folder.path / "logs").iterdir())) == 10


def test_folders_of_one_name_can_be_made_at_the_same_moment(tmp_path: Path) -> None:
    """As two files do that are called the same in two folders: each gets one of its own."""
    together = threading.Barrier(8)

    def make(number: int) -> Path:
        together.wait()
        return new_folder(tmp_path, f"outages-{number}")

    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            assert len(set(pool.map(make, [number] * 8))) == 8
