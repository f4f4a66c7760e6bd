"""Runs Azure's samples for Blob Storage as they are, in the place of a service of an environment: with its variables.

They know the name of an account in Azure, its connection string, and `DefaultAzureCredential`. Those for identities are
listed with them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from peeklock.engine.environments import environment_spec
from peeklock.scenario.loader import load
from peeklock.stack.backend import Environment
from peeklock.stack.embedded.stack import EmbeddedStack
from peeklock.verbs import VOCABULARY
from tests.conformance.samples.sample import GROUP, Sample, play
from tests.conformance.samples.storage_list import SAMPLES
from tests.conformance.servicebus.live.source import distribution
from tests.conformance.servicebus.live.table import Result

PACKAGES = {"azure-storage-blob": "12.31.1", "azure-identity": "1.27.0"}
_PRODUCTION = (
    "DefaultEndpointsProtocol=https;AccountName=peeklocksamples;AccountKey=${blobs.key};EndpointSuffix=core.windows.net"
)
SCENARIO = f"""\
scenario: samples
stack:
  blobs: {{name: peeklocksamples}}
  identities: {{sample: [Storage Blob Data Owner]}}
services:
  sample:
    run: [python, service.py]
    ready: {{http: /}}
    env: {{STORAGE_ACCOUNT_NAME: peeklocksamples, STORAGE_CONNECTION_STRING: "{_PRODUCTION}"}}
cases: {{none: {{steps: [{{set: {{nothing: true}}}}]}}}}
"""
SERVICE = """\
import http.server, json, os
class Variables(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())
    def log_message(self, *parts):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Variables).serve_forever()
"""
"""Tells the variables that it was given."""
FILES = {
    "SampleSource.txt": "what a sample uploads\n" * 100,
    "sample-blobs/one.txt": "one\n",
    "sample-blobs/two.txt": "two\n",
}
"""Which the samples expect beside them, and which the distribution lacks."""


def run(only: str = "") -> Iterator[Result]:
    """Run the samples one after the other, each on an empty account; yield what became of each."""
    folders = [distribution(package, version) / "samples" for package, version in PACKAGES.items()]
    files = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    chosen = [path for path in files if only in path.stem]
    if any(not _sample(path).cannot for path in chosen):
        with tempfile.TemporaryDirectory() as made:
            root = Path(made)
            (root / "pyproject.toml").touch()
            (root / "samples.yaml").write_text(SCENARIO, encoding="utf-8")
            (root / "service.py").write_text(SERVICE, encoding="utf-8")
            with EmbeddedStack.start(root, room=1) as stack:
                environment = stack.environment(environment_spec(load(root / "samples.yaml", VOCABULARY), root))
                variables = json.loads(urllib.request.urlopen(environment.services.url("sample"), timeout=10).read())
                yield from (_result(path, environment, variables) for path in chosen)
                environment.close()
    else:
        yield from (Result(GROUP, _name(path), "skipped", 0.0, _sample(path).cannot) for path in chosen)
    known = {path.stem.removesuffix("_async") for path in files}
    yield from (
        Result(GROUP, name, "failed", 0.0, "is on the list and not in the distribution") for name in {*SAMPLES} - known
    )


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.name}"


def _sample(path: Path) -> Sample:
    known = SAMPLES.get(path.stem.removesuffix("_async"))
    if known is None:
        return Sample(says=("is not on the list: tests/conformance/samples/storage_list.py",))
    return known.asynchronous() if path.stem.endswith("_async") else known


def _result(path: Path, environment: Environment, variables: Mapping[str, str]) -> Result:
    sample, started = _sample(path), time.monotonic()
    if sample.cannot:
        return Result(GROUP, _name(path), "skipped", 0.0, sample.cannot)
    environment.reset()
    if sample.past_the_door:
        variables = {**variables, "STORAGE_CONNECTION_STRING": environment.endpoints.blobs_connection_string or ""}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "samples"
        shutil.copytree(path.parent, folder)
        for name, content in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        why, written = play(folder / path.name, sample, variables, folder)
    return Result(GROUP, _name(path), "failed" if why else "passed", time.monotonic() - started, why, written)
