"""Everything that a run writes, searched for every secret that there was in it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.acceptance.conftest import Run

LEAKY = """\
import base64, http.server, json, os, re
from urllib.parse import quote

strings = {name: os.environ[name] for name in os.environ if re.search("URL|CONNECTION_STRING|TOKEN", name)}
secrets = [os.environ["API_TOKEN"]]
for text in strings.values():
    secrets += re.findall("(?:AccountKey|SharedAccessKey)=([^;]+)", text) + re.findall(":([^:/@]+)@", text)
with open(os.environ["TELL"], "w") as told:
    json.dump(secrets, told)
for secret in secrets:
    print(secret)
    print(f"token {secret!r} in a repr")
    print(json.dumps({"event": "leak", "body": json.dumps({"token": secret}), "url": f"http://x/?t={quote(secret, safe='')}"}))
    print("x" * (65_536 - 3) + secret + "y" * 70_000)
for text in strings.values():
    print(text)
    print(json.dumps({"event": "leak", "text": text}))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"secrets": secrets, "strings": strings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
TOKEN = 's3cr"et\\of/all+tökens and=more'
SCENARIO = """\
scenario: Leaks
stack: {postgres: {}, blobs: {containers: [files]}, servicebus: {queues: {q: {}}}}
services:
  leaky: {run: [python, leaky.py], ready: {http: /}, env: {API_TOKEN: TOKEN, TELL: TOLD}}
cases:
  told:
    steps:
      - send: {queue: q, json: {a: 1}}
      - http: {get: "${services.leaky.url}/"}
        expect: {status: 500}
  logged:
    steps:
      - logs: {service: leaky, where: {event: leak}}
        expect: {count: 0}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "leaky.py").write_text(LEAKY)
    text = SCENARIO.replace("TOKEN, ", json.dumps(TOKEN) + ", ").replace("TOLD", str(tmp_path / "told.json"))
    (root / "a.yaml").write_text(text)
    return root


def test_no_secret_is_written_anywhere_however_it_is_escaped(peeklock: Run, project: Path, tmp_path: Path) -> None:
    """Not bare, in JSON, in a URL or cut in two; not in logs, events, artefacts, JUnit, nor on the screen."""
    done = peeklock("run", ".", "-v", "--junit", "out/junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "expected" in done.stdout, "both cases fail by what they look at"
    secrets = json.loads((tmp_path / "told.json").read_text())
    assert len(set(secrets)) > 3, secrets
    written = {str(path): path.read_text("utf-8", "replace") for path in project.rglob("*") if path.is_file()}
    del written[str(project / "a.yaml")]
    written["the screen"] = done.stdout + done.stderr
    assert any(path.endswith("leaky.log") for path in written)
    for secret in secrets:
        forms = {secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1], quote(secret, safe=""), quote_plus(secret), secret[:12]}  # fmt: skip
        for path, text in written.items():
            assert not [form for form in forms if form in text], f"{secret} in {path}"
