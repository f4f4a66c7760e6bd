"""Fork and exec with the supervisor's guarantees. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any, NamedTuple

from peeklock.supervision import process_tree


class Started(NamedTuple):
    """A process that runs."""

    pid: int
    output: int
    """The reading end of its stdout and stderr."""
    forked: bool = False
    """Whether a fork server has started it."""


class SpawnError(Exception):
    """The program did not start; `number` is the errno, `stage` says at what."""

    def __init__(self, number: int, stage: str) -> None:
        super().__init__(number, stage)
        self.number, self.stage = number, stage


def spawn(request: dict[str, Any], control: int | None = None) -> Started:
    """Fork and exec, in a session of its own. Raises `SpawnError`.

    `control`: a descriptor that the program finds at number 3.
    """
    argv: list[str] = request["argv"]
    env: dict[str, str] = request["env"]
    supervisor = os.getpid()
    pipes: list[int] = []
    try:
        pipes += os.pipe()
        pipes += os.pipe()
        pid = os.fork()
    except OSError as error:  # no more descriptors, or processes
        for end in pipes:
            os.close(end)
        raise SpawnError(error.errno or 0, "starting a process") from None
    out_read, out_write, err_read, err_write = pipes
    if pid == 0:
        stage = "preparing"
        try:
            os.setsid()
            user = request.get("user") or {}
            if "map" in user:
                stage = "user namespace"
                uid, gid = user["map"]
                process_tree.map_user(uid, gid, user.get("passwd", ""))
            elif "drop" in user:
                stage = "changing the user"
                uid, gid = user["drop"]
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
            # After every change of credentials: those clear it. The supervisor has one thread, so "parent" is the process.
            process_tree.prctl(process_tree.PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)
            stage = "preparing"
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(out_write, 1)
            os.dup2(out_write, 2)
            if control is not None:
                os.dup2(control, 3)
                os.set_inheritable(3, True)  # where it was number 3 already
            stage = "pipes"
            for number, (path, mode) in request.get("stdio", {}).items():
                # not blocking: whoever was to hold the other end may be gone
                end = os.open(path, (os.O_RDONLY if mode == "r" else os.O_WRONLY) | os.O_NONBLOCK)
                os.set_blocking(end, True)
                os.dup2(end, int(number))
                if end != int(number):
                    os.close(end)
            for handled in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD):
                signal.signal(handled, signal.SIG_DFL)
            stage = "working directory"
            os.chdir(request["cwd"])
            stage = "program"
            os.execve(argv[0], argv, env)  # noqa: S606  no shell is what we want
        except OSError as error:
            os.write(err_write, f"{error.errno or 0} {stage}".encode())
        except BaseException as error:  # noqa: BLE001  nothing may return from here: it would be a second supervisor
            os.write(err_write, f"0 {stage} ({type(error).__name__})".encode())
        os._exit(127)
    os.close(out_write)
    os.close(err_write)
    trouble = os.read(err_read, 200)
    os.close(err_read)
    if trouble:
        os.close(out_read)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        number, _, stage = trouble.decode().partition(" ")
        raise SpawnError(int(number), stage)
    os.set_blocking(out_read, False)
    return Started(pid, out_read)
