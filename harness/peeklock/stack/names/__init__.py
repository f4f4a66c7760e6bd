"""Production names that lead to an environment: no service needs another configuration than its own."""

from __future__ import annotations

__all__ = ["bundle", "host_certificate", "names", "tls_front", "transport", "variables"]
