"""Who descends from whom, and how to signal all of them. Standard library only: the supervisor imports it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CLONE_NEWUSER = 0x10000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWNS = 0x00020000
MS_BIND = 0x1000
MNT_DETACH = 2

PATIENCE = 60.0
"""Seconds for a program that is run at the end."""

LINUX = sys.platform.startswith("linux")


class Process(NamedTuple):
    """One line of /proc/*/stat."""

    pid: int
    state: str
    parent: int
    group: int
    session: int


def processes() -> list[Process]:
    """Every process that can be seen; empty where there is no /proc (macOS), so that callers fall back to groups."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208  names only; pathlib costs the supervisor 15 ms to import
            if name.isdigit():
                with contextlib.suppress(OSError, ValueError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    # The command name is in parentheses and may hold spaces and parentheses itself.
                    rest = file.read().rpartition(b")")[2].split()
                    found.append(Process(int(name), rest[0].decode(), int(rest[1]), int(rest[2]), int(rest[3])))
    return found


def descendants(root: int) -> list[int]:
    """Pids below `root`, without itself; zombies are left out (they are dead)."""
    below: dict[int, list[Process]] = {}
    for process in processes():
        below.setdefault(process.parent, []).append(process)
    found, todo = [], [root]
    while todo:
        for child in below.get(todo.pop(), ()):
            todo.append(child.pid)
            if child.state != "Z":
                found.append(child.pid)
    return found


def family(leader: int) -> set[int]:
    """The processes that belong to the child `leader`: below it, or in the session it leads (when a parent between died)."""
    members = set(descendants(leader))
    members.update(p.pid for p in processes() if p.session == leader and p.state != "Z")
    members.discard(leader)
    return members


def send(pid: int, number: int) -> bool:
    """Signal one process; False when it is gone or not ours to signal."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def send_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def send_family(leader: int, number: int) -> None:
    """Signal the whole group of `leader`, and what left the group but still descends from it."""
    others = family(leader)
    send_group(leader, number)
    for pid in others:
        send(pid, number)


def dead_child(bury: Callable[[int], None]) -> tuple[int, int]:
    """Reap one dead child, calling `bury` before; its pid and wait status, or `(0, 0)` when none is dead.

    Looks first and reaps after: while it is a zombie its pid, and so the number of its group, cannot be given to another.
    """
    try:
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            pid, status = os.waitpid(-1, os.WNOHANG)
            bury(pid)
            return pid, status
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if dead is None:
            return 0, 0
        bury(dead.si_pid)
        return os.waitpid(dead.si_pid, 0)
    except ChildProcessError:
        return 0, 0


def kill_below(root: int) -> None:
    """SIGKILL everything below `root` (the calling process) and reap it; returns when nothing is left that can be killed."""
    while True:
        sent = [pid for pid in descendants(root) if send(pid, signal.SIGKILL)]
        try:
            # Blocks only while something that was killed has not been reaped; then collects what is dead already.
            while os.waitpid(-1, 0 if sent else os.WNOHANG)[0] and not sent:
                pass
        except ChildProcessError:
            return
        if not sent:
            return


def run(argv: Sequence[str]) -> None:
    """Run a program to its end, for at most `PATIENCE` seconds; whether it succeeds is its own affair."""
    try:
        pid = os.posix_spawn(argv[0], list(argv), os.environ)
    except OSError:
        return
    with contextlib.suppress(OSError):  # an old kernel or a sandbox: it is waited for without a limit
        fd = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        if fd is not None:
            if not select.select([fd], [], [], PATIENCE)[0]:
                send(pid, signal.SIGKILL)
            os.close(fd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def remove(path: str) -> None:
    """Remove a file or a whole folder; what is already gone, or not ours, stays so."""
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108


def prctl(option: int, value: int) -> bool:
    """Linux's prctl; False elsewhere, and when the kernel says no."""
    if not LINUX:
        return False
    return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)


def map_user(uid: int, gid: int, passwd: str = "") -> None:
    """Enter a user namespace in which the caller is `uid`:`gid`, with System V shared memory of its own.

    A server that is killed then leaves no segment behind. `passwd`: the only line of the /etc/passwd that it sees, where it has
    none of its own. Raises `OSError` where that is not allowed.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: Any) -> None:
        if getattr(libc, name)(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"user namespaces: {os.strerror(code)}")

    outside_uid, outside_gid = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER | CLONE_NEWIPC | (CLONE_NEWNS if passwd else 0))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outside_uid} 1"),
        ("gid_map", f"{gid} {outside_gid} 1"),
    ):
        _write(f"/proc/self/{name}", text)
    if passwd and os.path.exists("/etc/passwd"):  # noqa: PTH110
        call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None)
        _write("/tmp/passwd", passwd)  # noqa: S108  a new folder in the memory of this process alone
        call("mount", b"/tmp/passwd", b"/etc/passwd", None, MS_BIND, None)
        call("umount2", b"/tmp", MNT_DETACH)
    elif passwd:
        call("mount", b"tmpfs", b"/etc", b"tmpfs", 0, None)
        _write("/etc/passwd", passwd)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123
        file.write(text)
