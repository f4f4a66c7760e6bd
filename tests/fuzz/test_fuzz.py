"""A short run of the fuzzer, and that it finds what it looks for."""

from __future__ import annotations

import asyncio
import random

import pytest

from peeklock.servicebus.broker.log import MessageLog
from peeklock.servicebus.broker.settlement import Settlement
from peeklock.servicebus.gateway.connection import AmqpConnection
from tests.fuzz.__main__ import run
from tests.fuzz.fuzzer import Finding


def fuzz(frames):
    seed = random.SystemRandom().randrange(1 << 40)
    return asyncio.run(run(frames, seed))


@pytest.mark.slow
def test_hostile_input():
    """No crash, no hang, nothing lost, nothing done without a key, whatever a few thousand spoilt frames say; `make fuzz` plays a
    million. A finding tells its seed: `python -m tests.fuzz --only SEED` plays it again."""
    assert fuzz(3_000).spoilt >= 3_000


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["crash", "stays", "lost"])
def test_the_fuzzer_finds(fault, monkeypatch):
    """A broker that fails at a deep place, that keeps connections, or that loses count is found out."""
    if fault == "crash":
        monkeypatch.setattr(Settlement, "dead_letter", lambda *_: 1 / 0)
    elif fault == "stays":
        lost = AmqpConnection.lost
        monkeypatch.setattr(AmqpConnection, "lost", lambda self: lost(self) or self.context.connections.amqp.add(self))
    else:
        drop = MessageLog.drop

        def dropped(self, message):
            drop(self, message)
            self.size_in_bytes -= 1

        monkeypatch.setattr(MessageLog, "drop", dropped)
    with pytest.raises(Finding):
        fuzz(2_000)
