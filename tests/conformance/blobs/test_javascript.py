"""@azure/storage-blob, the JavaScript SDK, through the door: by token and by key."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from peeklock.servicebus.gateway.certificates import authority
from peeklock.stack.embedded.tools import node
from tests.conformance.servicebus.js.test_parity import modules

SCRIPT = Path(__file__).parent / "door.mjs"


def test_javascript(door: Any) -> None:
    """Odd names, blocks, ranges, copy, lease, snapshot, batch, user delegation SAS."""
    token = door.issuer.token("owner", "https://storage.azure.com")
    told = [door.url, door.account.name, door.account.key, token.token, str(token.expires_on)]
    env = os.environ | {"NODE_EXTRA_CA_CERTS": str(authority())}
    command = [str(node().node), str(SCRIPT), str(modules()), *told]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {name: error for name, error in json.loads(done.stdout).items() if error} == {}
