"""Azurite as Peeklock bundles it."""

from __future__ import annotations

import base64
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peeklock.stack.embedded.tools import azurite, node
from peeklock.stack.servers.blob_http import BlobAccount
from peeklock.supervision.client import SupervisorClient

_OLD = 3000
_KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def collecting(tmp_path: Path) -> Iterator[tuple[BlobAccount, Path]]:
    """An Azurite that collects each ten seconds what is a second old, where it takes minutes; and its log."""
    text = azurite().script.read_text(encoding="utf-8")
    for name, seconds in (("DEFAULT_GC_INTERVAL_MS", 10), ("DEFAULT_EXTENT_GC_PROTECT_TIME_IN_MS", 1)):
        assert text.count(f"{name}=600*1e3") == 1
        text = text.replace(f"{name}=600*1e3", f"{name}={seconds}*1e3")
    script, log = tmp_path / "azurite.cjs", tmp_path / "debug.log"
    script.write_text(text, encoding="utf-8")
    supervisor = SupervisorClient.start()
    port = supervisor.reserve_ports(1)[0]
    argv = [str(node().node), str(script), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence",
            "--skipApiVersionCheck", "--disableProductStyleUrl", "--disableTelemetry", "--debug", str(log)]  # fmt: skip
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env={"AZURITE_ACCOUNTS": f"a:{_KEY}"}, text=True)
    try:
        assert process.stdout is not None
        assert any("successfully listens on" in line for line in process.stdout)
        account = BlobAccount(port, "a", _KEY, timeout=120.0)
        yield account, log
        account.close()
    finally:
        process.kill()
        process.communicate()
        supervisor.close()


def test_azurite_answers_while_it_collects(collecting: tuple[BlobAccount, Path]) -> None:
    """What no blob has any more goes, what one has stays, and nobody waits for it: thousands once took minutes."""
    account, log = collecting
    account.create_container("photos")
    account.put("photos", "kept", b"kept")
    began = time.monotonic()
    for _ in range(_OLD):
        account.put("photos", "again", b"new")
    putting, slowest, collected = time.monotonic() - began, 0.0, 0
    with log.open(encoding="utf-8") as lines:
        while collected < _OLD - 1:
            asked = time.monotonic()
            account.get("photos", "again")
            slowest = max(slowest, time.monotonic() - asked)
            collected += sum(int(found) for found in re.findall(r"Deleted unreferenced (\d+) extents", lines.read()))
    assert slowest < putting / 5
    assert account.get("photos", "kept") == b"kept"
