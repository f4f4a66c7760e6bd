"""The faults of one environment: each is begun where it strikes, and ended with its case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from peeklock.stack.backend import (
    CommitHold,
    DatabaseTransaction,
    FaultEvent,
    HeldCommit,
    RelayedRequest,
    Transactions,
)
from peeklock.stack.errors import StackError
from peeklock.stack.faults import Fault, OpenAIWords
from peeklock.stack.servers.relay import RelayServer
from peeklock.stack.servers.servicebus import ControlError, ServiceBusServer, principals
from peeklock.standins import StandIn


class EnvironmentFaults:
    """Implements `backend.Faults`. Thread-safe. `relay` is there when the environment was made for faults that strike in it;
    `targets` are those behind it."""

    def __init__(
        self,
        servicebus: ServiceBusServer | None,
        namespace: str,
        relay: RelayServer | None,
        targets: Sequence[str],
        standins: Mapping[str, StandIn],
    ) -> None:
        self._servicebus, self._namespace, self._relay, self._targets = servicebus, namespace, relay, targets
        self._standins = standins

    def _at(self, target: str) -> list[str]:
        """The target itself, or the replicas of a service that has several."""
        return (
            [target]
            if target in self._targets
            else [each for each in self._targets if each.rpartition(".")[0] == target]
        )

    def begin(self, target: str, fault: Fault, times: int | None = None, seconds: float | None = None) -> int:
        if fault.layer == "broker" and self._servicebus is not None:
            return self._begin_in_broker(self._servicebus, fault, times)
        if isinstance(fault, OpenAIWords):
            self._standins[target].faults.begin(fault.behaviour(), times, seconds)
            return 0
        relay, settings = self._between(target, fault.kind), fault.model_dump()
        for each in self._at(target):
            relay.ask("begin", target=each, kind=fault.kind, settings=settings, times=times, seconds=seconds)
        return 0

    def _between(self, target: str, what: str) -> RelayServer:
        if self._relay is None or not self._at(target):
            raise StackError(
                f"nothing stands between the services and {target}, where {what} could strike",
                fix="a step with the fault itself, not a name for it, has to be in the file",
            )
        return self._relay

    def _begin_in_broker(self, servicebus: ServiceBusServer, fault: Fault, times: int | None) -> int:
        settings: dict[str, Any] = fault.model_dump(exclude_none=True)
        document = {"fault": fault.kind, "entity": settings.pop("queue", None), **settings}
        if fault.counted:
            document |= {"times": times, "by": settings.get("by") and principals(settings["by"])}
        try:
            return int(servicebus.begin_fault(self._namespace, document)["struck"])
        except ControlError as error:
            raise StackError(
                f"the emulator refused the fault {fault.kind}", actual=error.text, fix=error.fix
            ) from error

    def end(self, target: str | None = None) -> int:
        struck = 0
        if self._relay is not None:
            targets = [None] if target is None else self._at(target)
            struck = sum(int(self._relay.ask("end", target=each)) for each in targets)
        if self._servicebus is not None and target in (None, "servicebus"):
            struck += self._servicebus.end_faults(self._namespace)
        return struck + sum(each.faults.end() for name, each in self._standins.items() if target in (None, name))

    def events(self) -> list[FaultEvent]:
        own = [
            FaultEvent(name, at, text)
            for name, standin in self._standins.items()
            for at, text in standin.faults.events()
        ]
        relayed = self._relay.ask("listing") if self._relay is not None else []
        return own + [FaultEvent(target, at, text) for target, at, text in relayed]

    def requests(self) -> list[RelayedRequest]:
        passed = self._relay.ask("requests") if self._relay is not None else []
        return [RelayedRequest(*each) for each in passed]

    def transactions(self) -> Transactions:
        if self._relay is None or not self._at("postgres"):
            return Transactions(
                (), ("transactions are not seen: services reach this Postgres without a relay of ours",)
            )
        told = self._relay.ask("seen")
        seen = [
            DatabaseTransaction(**{
                **each, "changes": tuple(each["changes"]), "statements": tuple(map(tuple, each["statements"])),
            })
            for each in told["seen"]
        ]  # fmt: skip
        unseen = [
            f"transactions of {service or 'somebody'} are not seen on a connection: {why}"
            for service, why in told["unread"]
        ]
        return Transactions(seen, unseen)

    def hold_commit(self, held: HeldCommit) -> CommitHold:
        relay = self._between("postgres", "a point at a commit")
        settings = {"changes": held.changes, "by": held.service, "nth": held.nth, "then": held.then}
        number = relay.ask("hold", target="postgres", settings=settings, done=held.done)
        return CommitHold(lambda: bool(relay.ask("reached", hold=number)), lambda: relay.ask("release", hold=number))

    def forget(self) -> None:
        """Begin a new life: no fault of the relay is on (the emulator's own reset ends its faults), nothing has happened."""
        if self._relay is not None:
            self._relay.ask("end", target=None)
            self._relay.ask("listing", clear=True)

    def close(self) -> None:
        if self._relay is not None:
            self._relay.close()
