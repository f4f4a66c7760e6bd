"""`peeklock run --watch` — run again whenever somebody changes a file of the project."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import typer
import watchfiles
from rich.console import Console

from peeklock.cli.interruption import interruptible
from peeklock.stack.warm import lifecycle


class _Files(watchfiles.DefaultFilter):
    """Everything but what tools and Peeklock itself write."""

    ignore_dirs = (*watchfiles.DefaultFilter.ignore_dirs, ".peeklock")


def watch(root: Path, once: Callable[[], int], console: Console, *, keep: bool) -> int:
    """Call `once` now and after each change below `root`, until Ctrl-C or SIGTERM; return what it returned last.

    The stack that `once` brings up goes down with this process, unless it was up before or `keep` says that it stays.
    """
    changed: queue.SimpleQueue[list[Path]] = queue.SimpleQueue()
    ended = threading.Event()
    thread = threading.Thread(target=_tell_changes, args=(root, changed, ended), name="watch", daemon=True)
    thread.start()
    was_up = lifecycle.status(root).up
    code = 0
    try:
        with interruptible():
            while True:
                try:
                    code = once()
                except typer.Exit as refused:  # a file that is not well written: the next change may mend it
                    code = refused.exit_code
                console.print("watching for changes (Ctrl-C ends it) …", style="dim")
                for path in changed.get():
                    console.print(f"changed: {path}", style="dim", highlight=False)
    except KeyboardInterrupt:
        return code
    finally:
        ended.set()
        if not was_up and not keep:
            lifecycle.down(root)


def _tell_changes(root: Path, changed: queue.SimpleQueue[list[Path]], ended: threading.Event) -> None:
    for changes in watchfiles.watch(root, watch_filter=_Files(), stop_event=ended, raise_interrupt=False):
        changed.put(sorted(Path(path).relative_to(root) for _, path in changes))
