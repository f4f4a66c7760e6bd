"""A testcontainers module for Peeklock's Service Bus emulator. It depends on testcontainers alone, so it can be used without the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testcontainers.core.container import DockerContainer

_DATA = "/home/peeklock/data"


class ServiceBusEmulatorContainer(DockerContainer):
    """The emulator with its control API; every namespace that is made through it gets one of `namespace_ports`.

    Ports are the same inside and outside: a namespace tells its clients the one it listens on. `token` is the control API's.
    `lasting`: what it was told survives its end.
    """

    def __init__(
        self,
        image: str,
        *,
        control_port: int,
        namespace_ports: Sequence[int],
        token: str,
        lasting: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(image, **more)
        self.with_env("PEEKLOCK_CONTROL_TOKEN", token)
        command = [
            "--no-default-namespace",
            "--control-host",
            "0.0.0.0",
            "--control-port",
            str(control_port),
            "--port",
            "0",
        ]
        self.with_command([*command, *(["--data-dir", _DATA] if lasting else [])])
        for port in (control_port, *namespace_ports):
            self.with_bind_ports(port, port)
