"""`down: true` — nobody there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from peeklock.stack.faults.fault import NetworkFault

if TYPE_CHECKING:
    from peeklock.stack.relay.active import Active
    from peeklock.stack.relay.door import Door


class Down(NetworkFault):
    """Connections break, and new ones are refused, until the fault is over."""

    kind: ClassVar[str] = "down"
    summary: ClassVar[str] = "connections break, and new ones are refused"

    async def begin(self, active: Active, door: Door) -> None:
        """Shut the door."""
        door.shut()
        for line in list(door.lines):
            active.touch(line)
            line.reset()

    async def end(self, active: Active, door: Door) -> None:  # noqa: ARG002
        """Open it, unless another such fault is on."""
        if not any(isinstance(other.fault, Down) for other in door.faults):
            await door.open()
