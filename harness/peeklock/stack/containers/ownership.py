"""Whose a container is, as its label says, and whether that process is still there."""

from __future__ import annotations

from pathlib import Path

from peeklock.stack.containers.engine import OWNER_LABEL, STACK_LABEL, Engine
from peeklock.supervision import process_tree


def owner(pid: int) -> str:
    """The label of what belongs to a process of this machine: the machine's start, its namespace of pids, the pid, its start."""
    return f"{_boot()}/{_namespace()}/{pid}/{_started(pid)}"


def dead(label: str) -> bool | None:
    """Whether the owner has ended; None when that cannot be seen from here (another container shares the engine)."""
    pieces = label.split("/")
    if len(pieces) != 4:
        return None
    boot, namespace, pid, started = pieces
    if boot != _boot():
        return True
    if namespace != _namespace():
        return None
    return _started(int(pid)) != started


def sweep(engine: Engine) -> int:
    """Remove what stacks whose owner has ended have left behind, however that was; how many things."""
    left = {labels[STACK_LABEL]: labels.get(OWNER_LABEL, "") for labels in engine.labelled(STACK_LABEL)}
    return sum(engine.remove(f"{STACK_LABEL}={stack}") for stack, label in left.items() if dead(label))


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return "" if process_tree.LINUX or not process_tree.send(pid, 0) else "running"
    state_and_on = stat.rpartition(b")")[2].split()
    return "" if state_and_on[0] == b"Z" else state_and_on[19].decode()
