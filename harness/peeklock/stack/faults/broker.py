"""Faults that the emulator makes itself, in the words of scenarios: made from their classes there."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, get_type_hints

from pydantic import Field, create_model

from peeklock.servicebus.gateway import faults as emulator
from peeklock.stack.faults.fault import Fault, Layer


class BrokerFault(Fault):
    """A fault of the emulator; `entity` is called `queue` here."""

    layer: ClassVar[Layer] = "broker"
    short: ClassVar[str] = "queue"

    queue: str | None = Field(None, description="or topic/Subscriptions/name; absent: the whole namespace")


_OF_ALL = {
    "nth": Field(1, ge=1, description="lets those before it pass"),
    "by": Field(None, description="only what this service does"),
}
"""Settings of every fault that is counted."""


def _in_words(fault: type[emulator.Fault]) -> type[BrokerFault]:
    hints = get_type_hints(fault)
    fields: dict[str, Any] = {
        field.name: (hints[field.name], _OF_ALL.get(field.name, field.default))
        for field in dataclasses.fields(fault)
        if field.name not in ("entity", "times")  # `queue` and the verb's own
    }
    words = create_model(fault.__name__, __base__=BrokerFault, __doc__=f"{fault.summary}.", **fields)
    words.kind, words.counted, words.summary = fault.kind, fault.counted, fault.summary
    return words


BROKER: tuple[type[BrokerFault], ...] = tuple(_in_words(fault) for fault in emulator.KINDS.values())
