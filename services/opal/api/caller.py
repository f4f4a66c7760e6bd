"""Which tenant calls: the one whose key the request bears."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request


def tenant_of(request: Request) -> str:
    """Return the tenant whose key ``request`` bears, or answer 401."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given = given.strip() if scheme.lower() == "bearer" else ""
    tenants: dict[str, str] = request.app.state.tenants
    # Every key is compared, so that the time it takes tells nothing.
    found = [tenant for key, tenant in tenants.items() if hmac.compare_digest(given.encode(), key.encode())]
    if not found:
        problem = "the bearer token is wrong" if given else "a bearer token is required"
        raise HTTPException(401, problem, {"WWW-Authenticate": "Bearer"})
    return found[0]


Caller = Annotated[str, Depends(tenant_of)]


def require_own(caller: str, tenant_id: str) -> None:
    """Answer 403 to a request that names a tenant other than its caller."""
    if caller != tenant_id:
        raise HTTPException(403, "tenant_id is not the tenant of this token")
