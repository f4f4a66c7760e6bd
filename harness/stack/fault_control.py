"""The faults of one environment: each is begun where it strikes, and ended with its case."""

from __future__ import annotations

from typing import Any

from harness.stack.backend import FaultEvent
from harness.stack.embedded.servicebus import ControlError, ServiceBusServer
from harness.stack.errors import StackError
from harness.stack.faults import Fault


class EnvironmentFaults:
    """Implements `backend.Faults`. Thread-safe."""

    def __init__(self, servicebus: ServiceBusServer | None, namespace: str) -> None:
        self._servicebus, self._namespace = servicebus, namespace

    def begin(self, target: str, fault: Fault, times: int | None = None, seconds: float | None = None) -> int:  # noqa: ARG002
        if fault.layer == "broker" and self._servicebus is not None:
            return self._begin_in_broker(self._servicebus, fault, times)
        raise StackError(f"this environment cannot make the fault {fault.kind} on {target}")

    def _begin_in_broker(self, servicebus: ServiceBusServer, fault: Fault, times: int | None) -> int:
        settings: dict[str, Any] = fault.model_dump(exclude_none=True)
        document = {"fault": fault.kind, "entity": settings.pop("queue", None), **settings}
        if fault.counted:
            document["times"] = times
        try:
            return int(servicebus.begin_fault(self._namespace, document)["struck"])
        except ControlError as error:
            raise StackError(
                f"the emulator refused the fault {fault.kind}", actual=error.text, fix=error.fix
            ) from error

    def end(self, target: str | None = None) -> None:
        if self._servicebus is not None and target in (None, "servicebus"):
            self._servicebus.end_faults(self._namespace)

    def events(self) -> list[FaultEvent]:
        return []
