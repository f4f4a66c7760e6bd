"""@azure/identity, the JavaScript SDK, at the endpoint of a managed identity."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from peeklock.servicebus import Emulator, Identity, IdentityEndpoint, ManagedIdentity, Topology
from peeklock.servicebus.managed_identity import Form, object_id
from peeklock.stack.embedded.tools import node

from .test_parity import modules

SCRIPT = Path(__file__).parent / "identity.mjs"
SHARED = ManagedIdentity("shared", "5c1d6a0e-0000-4000-8000-000000000001")
IDS = {
    "client": SHARED.client_id,
    "object": object_id(SHARED.client_id),
    "resource": SHARED.resource_id(system=False),
}


@pytest.mark.parametrize("form", [Form.CONTAINER_APPS, Form.IMDS])
def test_credentials_find_their_identity(form: Form) -> None:
    """System-assigned without a name, user-assigned by each kind of id; an unknown one is no identity."""
    with Emulator(Topology(identity=Identity())) as bus:
        bus.issuer.serve(IdentityEndpoint("service", ManagedIdentity("own"), (SHARED,)))
        env = os.environ | bus.issuer.environment("service", form)
        command = [str(node().node), str(SCRIPT), str(modules()), json.dumps(IDS)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == {
        "default": "own",
        "system": "own",
        **dict.fromkeys(IDS, SHARED.client_id),
        "unknown": "CredentialUnavailableError",
    }
