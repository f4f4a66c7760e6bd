"""What `peeklock setup` does: fetch and build all that the first run would."""

from __future__ import annotations

import sys

from peeklock.stack.embedded import golden
from peeklock.stack.embedded.installed_postgres import postgres
from peeklock.stack.embedded.tools import azurite, node
from peeklock.stack.progress import Progress, silent
from peeklock.stack.project.cache import cache_dir
from peeklock.supervision.client import SupervisorClient


def prepare(progress: Progress = silent) -> dict[str, str]:
    """Fetch and build it; return what there is, version or path by name. Raises `StackError`."""
    supervisor = SupervisorClient.start()
    try:
        cluster = golden.ensure(supervisor, postgres(), progress)
    finally:
        supervisor.shutdown()
    bundle = azurite(progress)
    return {
        "python": sys.version.split()[0],
        "postgres": postgres().version,
        "postgres cluster": str(cluster),
        "node": node().version,
        "azurite": str(bundle.script),
        "cache": str(cache_dir()),
    }
