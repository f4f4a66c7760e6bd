"""What one scenario file runs on: its part of each dependency, its services, its faults."""

from __future__ import annotations

__all__ = ["endpoints", "environment", "faults", "fingerprint", "host_stack", "launcher", "leases", "record"]
