"""Before a case begins, nobody works on a message of the one before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from peeklock.stack.backend import Exit
from peeklock.stack.environment.leftovers import PATIENCE, end_leftovers


class Bus:
    """Tells what it is given, one look after the other."""

    def __init__(self, *looks: list[dict[str, Any]]) -> None:
        self.looks = list(looks)
        self.asked: list[tuple[float, list[str]]] = []

    def deliveries_in_hand(self, _name: str, wait: float = 0.0, principals: Sequence[str] = ()) -> list[dict[str, Any]]:
        self.asked.append((wait, list(principals)))
        return self.looks.pop(0)


class Services:
    """Two services, one of which has died at a time."""

    def __init__(self, died_at: float = 0.0) -> None:
        self.died_at = died_at
        self.killed: list[str] = []

    def processes(self) -> list[str]:
        return ["worker", "api", "api.0", "api.1"]

    def kill(self, service: str) -> None:
        self.killed.append(service)

    def exits(self) -> tuple[list[Exit], int]:
        return [Exit("worker", 0, self.died_at, 1, expected=False)], 1


def hand(principal: str, cut_for: float | None = None) -> dict[str, Any]:
    return {"principal": principal, "deliveries": 1, "cut_for": cut_for}


def ended(bus: Any, services: Any, **cut_off: float) -> bool:
    return end_leftovers(bus, "env-0", services, {f"service-{name}": at for name, at in cut_off.items()})


def test_with_free_hands_nothing_is_done() -> None:
    bus, services = Bus([hand("RootManageSharedAccessKey")]), Services()
    assert not ended(bus, services)
    assert (len(bus.asked), services.killed) == (1, [])


def test_who_comes_to_an_end_in_time_goes_on() -> None:
    bus, services = Bus([hand("service-worker"), hand("service-worker", 0.1)], []), Services()
    assert ended(bus, services)
    assert bus.asked[1] == (PATIENCE, ["service-worker"])
    assert services.killed == []


def test_who_does_not_is_killed() -> None:
    bus = Bus(
        [hand("service-worker"), hand("service-api.1", 3.0)], [hand("service-worker"), hand("service-api.1", 4.0)]
    )
    services = Services()
    assert ended(bus, services)
    assert services.killed == ["worker", "api.1"]


def test_what_a_dead_process_had_in_hand_is_done_with() -> None:
    """A crash cuts its links: nobody works on that any more, and the service that was started since then stays."""
    bus, services = Bus([hand("service-worker", 5.0)]), Services(died_at=time.time() - 5.2)
    assert not ended(bus, services)
    assert services.killed == []


def test_who_was_cut_off_by_the_end_of_the_emulator_is_new() -> None:
    """Nobody can tell whether it is still at work; one that has died since then is new already."""
    now = time.time()
    bus, services = Bus([]), Services(died_at=now - 1)
    assert ended(bus, services, worker=now - 2, api=now - 2, stranger=now)
    assert services.killed == ["api"]
