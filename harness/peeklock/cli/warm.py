"""`peeklock up | down | status | reset | logs` — a stack that outlives one run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from peeklock.cli.exits import FAILED, exits
from peeklock.engine.waiting import Signal
from peeklock.stack.project.root import stack_root
from peeklock.stack.warm import lifecycle as warm
from peeklock.stack.warm.lifecycle import Status

_FOLLOW_EVERY = 0.2


def up(backend: Annotated[str, typer.Option(help="auto, embedded or containers")] = "auto") -> None:
    """Bring up Postgres, Azurite and Service Bus, and leave them up: every `run` uses them and starts at once."""
    with exits():
        status_ = warm.up(stack_root(), lambda text: typer.echo(f"  {text}"), backend=backend)
    if status_.took is None:
        typer.echo("it is up already")
    else:
        typer.echo(f"up in {status_.took:.2f} s; `peeklock down` ends it")
    _show(status_)


def down(
    everything: Annotated[
        bool, typer.Option("--all", help="also remove what killed runs have left at the container engine")
    ] = False,
) -> None:
    """End the warm stack with every service on it."""
    with exits():
        ended = warm.down(stack_root())
        typer.echo("down" if ended else f"nothing was up in {stack_root()}")
        if everything:
            removed, left = warm.sweep()
            typer.echo(f"{removed} containers, networks and volumes of ended processes removed")
            if left:
                typer.echo(f"{left} are left, whose processes run")


def status() -> None:
    """Tell what is up; exit code 1 when nothing is."""
    with exits():
        found = warm.status(stack_root())
    if not found.up and not found.kept:
        typer.echo(f"nothing is up in {found.root}; `peeklock up` brings it up")
    else:
        typer.echo(f"{found.root}:")
        _show(found)
    for root in found.elsewhere:
        typer.echo(f"up in {root}, too: `peeklock down` there ends it")
    if not found.up:
        raise typer.Exit(FAILED)


def reset() -> None:
    """Take down the services and data that runs have left on the warm stack."""
    with exits():
        count = warm.reset(stack_root())
    typer.echo(f"{count} environment{'' if count == 1 else 's'} taken down")


def logs(
    names: Annotated[list[str] | None, typer.Argument(help="parts of names, as in `worker`; default: all")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until Ctrl-C")] = False,
) -> None:
    """Show what the parts of the warm stack and its services have logged."""
    with exits():
        found = warm.status(stack_root())
    if not found.up or found.log_dir is None:
        typer.echo("nothing is up; `peeklock up` brings it up")
        raise typer.Exit(FAILED)
    offsets: dict[Path, int] = {}
    pause = Signal()
    while True:
        for name, line in _new_lines(found.log_dir, names or [], offsets):
            typer.echo(f"{name:<16} {line}")
        if not follow:
            return
        pause.wait(pause.count, _FOLLOW_EVERY)


def _new_lines(folder: Path, names: list[str], offsets: dict[Path, int]) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.log")):
        label = str(path.relative_to(folder).with_suffix(""))
        if names and not any(name in label for name in names):
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            size = os.fstat(file.fileno()).st_size  # a flood's middle was cut out: what is left was shown
            file.seek(min(offsets.get(path, 0), size))
            for line in file:
                yield label, line.rstrip("\n")
            offsets[path] = file.tell()


def _show(found: Status) -> None:
    console = Console(highlight=False)
    for kind, port in (found.ports or {}).items():
        console.print(Text(f"  {kind:<12} 127.0.0.1:{port}"), soft_wrap=True)
    for kept in found.kept:
        ports = "  ".join(f"{kind} 127.0.0.1:{port}" for kind, port in kept.ports.items())
        console.print(Text(f"  kept of {kept.name}: {ports}"), soft_wrap=True)
    for process in found.processes:
        since = datetime.fromtimestamp(process.since).astimezone().strftime("%H:%M:%S")
        state = f"ended with {process.ended}" if process.ended is not None else ("paused" if process.paused else "runs")
        text = f"  {process.name:<28} pid {process.pid:<8} {state} since {since}"
        console.print(Text(text, "red" if process.ended else ""), soft_wrap=True)
    if found.since is not None:
        console.print(
            Text(
                f"  {found.backend} backend, up for {time.time() - found.since:.0f} s; {found.in_use} environments in use",
                "dim",
            )
        )
    if found.log_dir is not None:
        console.print(Text(f"  logs in {found.log_dir}", "dim"), soft_wrap=True)
