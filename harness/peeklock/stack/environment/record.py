"""What makes up an environment, written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Record:
    """An environment, as the supervisor of a warm stack remembers it (in memory only: it holds keys)."""

    slot: int
    name: str
    keys: dict[str, str] = field(default_factory=dict)
    ports: dict[str, list[int]] = field(default_factory=dict)
    template: str | None = None
    made_tables: list[str] = field(default_factory=list)
    """Those that services made at their start: they are restarted for every case."""
    made_containers: list[str] = field(default_factory=list)
    """Those that services made at their start: every case begins with them, empty."""
    namespace_port: int | None = None
    log_dir: str = ""
    complete: bool = False
    standin_ports: dict[str, int] = field(default_factory=dict)
    """Ports of the stand-ins, at which whoever runs cases in the environment listens."""
    standin_keys: dict[str, str] = field(default_factory=dict)
    """Keys of Azure OpenAI by service."""
    http_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    """Keys of Azure ML endpoints, by stand-in and service."""
    host_certificate: list[str] = field(default_factory=list)
    """Authority and chain of what the hosts of its HTTP stand-ins show; see `HostCertificate`."""
    door_ports: dict[str, int] = field(default_factory=dict)
    """Ports of what stands before dependencies with TLS, in the same process."""
    door_secret: str = ""
    """In hexadecimal: what the blob door derives user delegation keys from."""
    identity_keys: dict[str, str] = field(default_factory=dict)
    """What its identities are known by; see `Identities`."""
    relay_ports: dict[str, dict[str, int]] = field(default_factory=dict)
    """Ports of the relay by target, and there by the service that has one of its own, so that it is known who comes; "" is
    everybody's."""
    relay: dict[str, Any] | None = None
    """How the relay is reached."""

    @property
    def database(self) -> str:
        return f"env_{self.slot}"

    @property
    def namespace(self) -> str:
        return f"env-{self.slot}"

    @property
    def prefix(self) -> str:
        """Of the names of its children at the supervisor."""
        return f"env{self.slot}:"

    @property
    def helpers(self) -> tuple[str, str]:
        """What the names of its children begin with that are no services."""
        return self.relay_process, self.tunnel

    @property
    def tunnel(self) -> str:
        """What the names of the two halves of its tunnel begin with, where services are containers."""
        return f"tunnel{self.slot}:"

    @property
    def relay_process(self) -> str:
        """Its name at the supervisor."""
        return f"relay{self.slot}:"
