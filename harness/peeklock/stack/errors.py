"""`StackError`: something that the scenarios stand on cannot be had. The command line maps it to exit code 3."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

from peeklock.errors import PeeklockError
from peeklock.stack.redact import redact


class StackError(PeeklockError):
    """The stack, or a part of it, cannot be had.

    Use the named constructors: each is a situation. Every text is redacted before it is kept.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        actual: str | None = None,
        checked: Sequence[str] = (),
        fix: str | None = None,
        log: Sequence[str] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        def clean(text: str | None) -> str:
            return redact(text, secrets) if text else ""

        super().__init__(
            clean(problem),
            where=clean(where),
            expected=clean(expected),
            actual=clean(actual),
            checked=[clean(line) for line in checked],
            fix=clean(fix),
            log=[clean(line) for line in log],
        )

    @classmethod
    def port_in_use(cls, port: int, wanted_by: str, holder: str | None = None) -> StackError:
        """An explicit port, or one picked several times in a row, is taken."""
        return cls(
            f"port {port} is in use, so {wanted_by} cannot listen on it",
            where=f"127.0.0.1:{port}",
            actual=f"held by {holder}" if holder else "held by another process",
            fix="stop that process, or ask for another port (0 picks a free one)",
        )

    @classmethod
    def missing_command(cls, command: str, wanted_by: str, checked: Sequence[str]) -> StackError:
        return cls(
            f"the command {command!r} of {wanted_by} was not found",
            expected=f"an executable file named {command}",
            checked=checked,
            fix=f"install {command}, or write its full path in `run`",
        )

    @classmethod
    def missing_tool(cls, tool: str, needed_for: str, checked: Sequence[str], fix: str) -> StackError:
        """A program that the embedded backend itself needs is not there."""
        return cls(f"{tool} is missing, and {needed_for} needs it", checked=checked, fix=fix)

    @classmethod
    def cannot_start(cls, name: str, command: str, error: OSError) -> StackError:
        """The operating system refused to start a program."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls.full_disk(f"starting {name}", error.filename)
        return cls(
            f"{name} cannot be started: {error.strerror}",
            where=command,
            fix="look at the file: does it exist, may you execute it, is its first line (#!) right?",
        )

    @classmethod
    def exited_before_ready(
        cls, name: str, code: int, log: Sequence[str], log_file: Path | None = None, secrets: Sequence[str] = ()
    ) -> StackError:
        return cls(
            f"{name} ended before it was ready: {exit_text(code)}",
            where=str(log_file) if log_file else None,
            expected="a running process that answers",
            fix="its last lines say why; the file has all of them" if log_file else "its last lines say why",
            log=log or ("(it wrote nothing)",),
            secrets=secrets,
        )

    @classmethod
    def not_ready(
        cls,
        name: str,
        awaited: str,
        within: float,
        seen: str,
        log: Sequence[str],
        log_file: Path | None = None,
        secrets: Sequence[str] = (),
    ) -> StackError:
        """A process runs but did not become ready in `within` seconds."""
        return cls(
            f"{name} was not ready within {within:g} s",
            where=str(log_file) if log_file else None,
            expected=awaited,
            actual=seen,
            fix="if it only needs longer, raise `ready.within`; else its last lines say what it waits for",
            log=log or ("(it wrote nothing)",),
            secrets=secrets,
        )

    @classmethod
    def dead_dependency(
        cls, name: str, code: int | None, log: Sequence[str], log_file: Path | None = None
    ) -> StackError:
        """Postgres, Azurite or Service Bus ended while scenarios ran on it."""
        return cls(
            f"{name} is no longer there: {exit_text(code) if code is not None else 'it does not answer'}",
            where=str(log_file) if log_file else None,
            expected=f"{name} runs for as long as the stack does",
            fix="if something killed it (out of memory?), run again; after `peeklock up`: `peeklock down`, then `peeklock up`",
            log=log,
        )

    @classmethod
    def full_disk(cls, doing: str, path: str | Path | None = None, free: int | None = None) -> StackError:
        return cls(
            f"no space left while {doing}",
            where=str(path) if path else None,
            actual=f"{free / 1e6:.0f} MB free" if free is not None else None,
            fix="make room there; PEEKLOCK_DATA moves the data of a stack, PEEKLOCK_CACHE the cache",
        )

    @classmethod
    def unwritable(cls, path: str | Path, error: OSError) -> StackError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return cls.full_disk("writing", path)
        return cls(
            f"cannot write: {error.strerror}",
            where=str(path),
            fix="give yourself the right to write there, or point PEEKLOCK_DATA (data of a stack) or PEEKLOCK_CACHE (cache) elsewhere",
        )

    @classmethod
    def registry_unreachable(cls, missing: str, log: Sequence[str]) -> StackError:
        """`npm ci` could not fetch what the Azurite bundle is made of."""
        return cls(
            f"{missing} is not there yet, and the npm registry that would bring it cannot be reached",
            expected="one download, the first time; later runs need no network",
            checked=["the cache of Peeklock", "the npm registry that your npm configuration names"],
            fix=(
                "go online (or set `registry`, `proxy`, `cafile` in your .npmrc) and run `peeklock setup`; "
                "or copy the cache folder of a machine that has it and point PEEKLOCK_CACHE there"
            ),
            log=log,
        )

    @classmethod
    def setup_failed(cls, doing: str, log: Sequence[str], fix: str) -> StackError:
        return cls(f"{doing} failed", log=log, fix=fix)

    @classmethod
    def migration_failed(cls, path: Path, code: int, log: Sequence[str], secrets: Sequence[str] = ()) -> StackError:
        return cls(
            f"the migrations failed: {exit_text(code)}",
            where=str(path),
            expected="a migrated template database",
            fix="the last lines say which statement; nothing was kept, the next run starts over",
            log=log,
            secrets=secrets,
        )

    @classmethod
    def no_engine(cls, checked: Sequence[str]) -> StackError:
        """The containers backend was asked for where no engine answers."""
        return cls(
            "no container engine answers",
            expected="Docker or podman, whose socket this user may open",
            checked=checked,
            fix="start it (`make docker` on Debian, as root), or set DOCKER_HOST; `--backend embedded` needs none",
        )

    @classmethod
    def image_missing(cls, image: str, engine: str) -> StackError:
        return cls(
            f"the container engine has no image {image}",
            where=engine,
            expected="the images of this version of Peeklock, which are built here and in no registry",
            fix="make images (or `peeklock images build`)",
        )

    @classmethod
    def engine_gone(cls, name: str, log: Sequence[str], log_file: Path | None = None) -> StackError:
        """The container engine ended under a stack."""
        return cls(
            f"the container engine is no longer there, and {name} with it",
            where=str(log_file) if log_file else None,
            expected="an engine that runs for as long as the stack does",
            fix="start it again; what is left of this stack is removed when the next one starts, or by `peeklock down --all`",
            log=log,
        )

    @classmethod
    def engine_refused(cls, address: str, doing: str, status: int, text: str) -> StackError:
        """The container engine answered with an error, or (`status` 0) not at all."""
        if status == 0:
            return cls(
                f"the container engine does not answer any more (asked to {doing})",
                where=address,
                actual=text,
                fix="start it again; what is left of this stack is removed when the next one starts",
            )
        return cls(f"the container engine refused to {doing}", where=address, actual=f"{status} {text}")

    @classmethod
    def supervisor_gone(cls, doing: str) -> StackError:
        return cls(
            f"the supervisor went away while {doing}",
            expected="it lives as long as the stack",
            fix="everything below it has ended with it; run again (after `peeklock up`: `peeklock up` again)",
        )

    @classmethod
    def no_room(cls, count: int) -> StackError:
        """Every slot for an environment is leased."""
        return cls(
            f"all {count} environments of the stack are in use",
            fix="run fewer scenario files in parallel, or end the other runs on this stack",
        )

    @classmethod
    def unknown_backend(cls, name: str, known: Sequence[str]) -> StackError:
        return cls(f"there is no backend {name!r}", expected=f"one of {', '.join(known)}", fix="correct --backend")


def exit_text(code: int) -> str:
    """`exit status 3`, or the name of the signal when `code` is negative as in `subprocess`."""
    import signal

    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
