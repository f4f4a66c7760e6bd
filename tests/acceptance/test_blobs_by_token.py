"""A worker without any key: its identity's token lets it into its account, and it hands out links that it signs by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from peeklock.stack.embedded.tools import node
from tests.acceptance.conftest import Run
from tests.conformance.servicebus.js.test_parity import modules
from tests.conformance.stack.engine import engine_or_skip

WORKER = '''\
"""Puts, gets and signs by token. The first link that it has signed, it keeps."""
import http.server, json, os, urllib.parse
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient, generate_blob_sas

kept = {}
url = f"https://{os.environ['AZURE_STORAGE_ACCOUNT']}.blob.core.windows.net"
service = BlobServiceClient(url, DefaultAzureCredential(), retry_total=0)


class Worker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            said = getattr(self, self.path[1:] or "ready")(service.get_blob_client("images", "a.txt"))
        except HttpResponseError as error:
            said = {"status": error.status_code, "code": error.error_code}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ready(self, blob):
        return {}

    def put(self, blob):
        blob.upload_blob(b"by token", overwrite=True)
        return {}

    def get(self, blob):
        return {"text": blob.download_blob().readall().decode()}

    def link(self, blob):
        if not kept:
            now = datetime.now(UTC)
            key = service.get_user_delegation_key(now - timedelta(minutes=5), now + timedelta(hours=1))
            sas = generate_blob_sas(
                blob.account_name, "images", "a.txt", user_delegation_key=key, permission="r", expiry=now + timedelta(hours=1)
            )
            kept["url"] = f"{blob.url}?{sas}"
            print("signed", flush=True)
        return kept


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Worker).serve_forever()
'''
HEAD = """\
scenario: No key anywhere
stack:
  blobs: {name: contosoimages, containers: [images, other]}
  identities:
    worker: [{role: Storage Blob Data Contributor, on: images}, Storage Blob Delegator]
services:
  worker: {RUN, env: {AZURE_STORAGE_ACCOUNT: contosoimages}, ready: {http: /}}
cases:
  by_token:
    steps:
      - http: {get: /put}
        expect: {json: {}}
      - blob: {get: images/a.txt}
        expect: {text: by token}
      - http: {get: /get}
        expect: {json: {text: by token}}
"""
LINK = """\
  link:
    steps:
      - http: {get: /put}
      - http: {get: /link}
        capture: {url: json.url}
      - http: {get: "${url}"}
        expect: {status: 200, text: by token}
"""
REVOKED = """\
  revoked:
    steps:
      - http: {get: /put}
      - http: {get: /link}
        capture: {url: json.url}
      - identity: {of: worker, revoke: Storage Blob Data Contributor}
      - http: {get: /get}
        expect: {json: {status: 403, code: AuthorizationPermissionMismatch}}
      - http: {get: "${url}"}
        expect: {status: 403}
      - identity: {of: worker, grant: Storage Blob Data Reader}
      - http: {get: /get}
        expect: {json: {text: by token}}
      - http: {get: /put}
        expect: {json: {status: 403}}
"""


@pytest.fixture
def keyless(project: Path) -> Path:
    (project / "worker.py").write_text(WORKER, encoding="utf-8")
    return project / "scenarios" / "keyless.yaml"


def test_a_role_lets_in_and_taken_away_it_does_not(peeklock: Run, keyless: Path) -> None:
    """Nor does a link that was signed by it."""
    keyless.write_text(HEAD.replace("RUN", "run: [python, worker.py]") + LINK + REVOKED, encoding="utf-8")
    done = peeklock("run", str(keyless))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_link_is_good_in_the_next_run_on_a_warm_stack(peeklock: Run, keyless: Path) -> None:
    """The service goes on running, and so does what it has signed."""
    keyless.write_text(HEAD.replace("RUN", "run: [python, worker.py]") + LINK, encoding="utf-8")
    try:
        assert peeklock("up").returncode == 0
        for _ in range(2):
            done = peeklock("run", str(keyless))
            assert done.returncode == 0, done.stdout + done.stderr
        logs = [log.read_text(encoding="utf-8") for log in keyless.parents[1].rglob("worker.log")]
        assert max(log.count("signed") for log in logs) == 1
    finally:
        peeklock("down")


NODE = """\
import { createRequire } from "node:module";
import { createServer } from "node:http";

const required = createRequire(`${process.argv[2]}/`);
const { BlobServiceClient } = required("@azure/storage-blob");
const { DefaultAzureCredential } = required("@azure/identity");
const url = `https://${process.env.AZURE_STORAGE_ACCOUNT}.blob.core.windows.net`;
const blob = new BlobServiceClient(url, new DefaultAzureCredential()).getContainerClient("images").getBlockBlobClient("a.txt");
const answers = {
  "/": async () => ({}),
  "/put": async () => (await blob.upload("by token", 8), {}),
  "/get": async () => ({ text: (await blob.downloadToBuffer()).toString() }),
};
createServer(async (request, response) => {
  const said = await answers[request.url]().catch((error) => ({ status: error.statusCode, code: error.code }));
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
}).listen(Number(process.env.PORT), "127.0.0.1");
"""


def test_javascript_s_client_is_let_in(peeklock: Run, keyless: Path) -> None:
    keyless.with_name("worker.mjs").write_text(NODE, encoding="utf-8")
    command = f"run: [{node().node}, scenarios/worker.mjs, {modules()}]"
    keyless.write_text(HEAD.replace("RUN", command), encoding="utf-8")
    done = peeklock("run", str(keyless))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_container_is_let_in(peeklock: Run, keyless: Path) -> None:
    engine_or_skip("peeklock/services")
    image = 'image: peeklock/services, run: [python, -c, "${file(../worker.py)}"]'
    keyless.write_text(HEAD.replace("RUN", image) + LINK, encoding="utf-8")
    done = peeklock("run", str(keyless), "--backend", "containers")
    assert done.returncode == 0, done.stdout + done.stderr
