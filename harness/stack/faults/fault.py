"""What every fault has: the words with which a scenario asks for it, and where it can strike."""

from __future__ import annotations

from typing import ClassVar, Literal

from harness.scenario.topology import Model

Layer = Literal["network", "http", "broker"]
"""Where a fault strikes: between a service and anything, between a service and what speaks HTTP, inside the emulator."""


class Fault(Model):
    """One kind of fault. Its fields are its settings, as they stand in a scenario; times are in seconds."""

    kind: ClassVar[str]
    """The word in a scenario: `fault: {on: …, KIND: …}`."""
    layer: ClassVar[Layer]
    short: ClassVar[str] = ""
    """The setting that a bare value gives: `latency: 2s` is `latency: {delay: 2s}`. Empty: the bare value is `true`."""
    counted: ClassVar[bool] = False
    """Whether `times` says after how many strikes it is over."""
    summary: ClassVar[str] = ""
