"""The blob door: TLS, bearer tokens with roles and user-delegation SAS before an Azurite that knows account keys only.

`server.BlobDoor` serves one storage account; `roles` says what its identities may do, `tokens` whose tokens it takes.
"""

from __future__ import annotations

__all__ = ["access", "journal", "principal", "roles", "server", "tokens"]
