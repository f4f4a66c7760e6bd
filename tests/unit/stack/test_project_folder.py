"""The `.peeklock` folder: private, with a socket path that a socket can have."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from peeklock.stack.project.folder import LONGEST_SOCKET_PATH, ProjectFolder, new_folder


def test_it_is_readable_by_its_owner_alone_and_ignored_by_git(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    folder.make()
    assert folder.path.stat().st_mode & 0o077 == 0
    assert (folder.path / ".gitignore").read_text() == "*\n"


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = tmp_path / "r"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = tmp_path / ("d" * LONGEST_SOCKET_PATH)
    path = ProjectFolder(deep).socket_path()
    assert path.parent == runtime / "peeklock"
    assert path.parent.stat().st_mode & 0o077 == 0
    assert path != ProjectFolder(deep / "other").socket_path()


def test_the_pointer_is_private_and_holds_only_the_path(tmp_path: Path) -> None:
    folder = ProjectFolder(tmp_path)
    folder.make()
    folder.write_pointer(Path("/run/x.sock"))
    assert folder.pointer.read_text() == '{"socket": "/run/x.sock"}'
    assert folder.pointer.stat().st_mode & 0o077 == 0


def test_no_pointer_means_no_warm_stack(tmp_path: Path) -> None:
    assert ProjectFolder(tmp_path).connect() is None


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
