"""A worker that knows its account and its model by their production names only, in scenarios as a user writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run
from tests.conformance.stack.engine import engine_or_skip

WORKER = '''\
"""Puts and gets blobs, signs for them, and asks a model. Repeats nothing by itself."""
import http.server, json, os, urllib.parse
from datetime import UTC, datetime, timedelta

import httpx
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import BlobServiceClient, generate_blob_sas

KEY, ACCOUNT = os.environ["KEY"], "https://contosoimages.blob.core.windows.net"
CREDENTIAL = {"account_name": "contosoimages", "account_key": KEY}
OPENAI = "https://contoso-models.openai.azure.com/openai/v1/chat/completions"


class Worker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(asked.query))
        blobs = BlobServiceClient(query.get("at", ACCOUNT), CREDENTIAL, retry_total=0, connection_timeout=3, read_timeout=3)
        try:
            said = getattr(self, asked.path[1:] or "ready")(blobs.get_blob_client("images", "a.txt"), **query)
        except HttpResponseError as error:
            said = {"status": error.status_code}
        except (AzureError, httpx.HTTPError, OSError) as error:
            said = {"broken": type(error).__name__}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ready(self, blob):
        return {}

    def put(self, blob, size="5"):
        blob.upload_blob(b"x" * int(size), overwrite=True)
        return {"url": blob.url}

    def get(self, blob, **_):
        return {"size": len(blob.download_blob().readall())}

    def sign(self, blob):
        ends = datetime.now(UTC) + timedelta(hours=1)
        sas = generate_blob_sas("contosoimages", "images", "a.txt", account_key=KEY, permission="r", expiry=ends)
        return {"url": f"{blob.url}?{sas}"}

    def fetch(self, blob, url):
        return {"status": httpx.get(url).status_code}

    def ask(self, blob, picture=None):
        pictures = [{"type": "image_url", "image_url": {"url": picture}}] if picture else []
        content = [{"type": "text", "text": "hello"}, *pictures]
        said = {"model": "gpt", "messages": [{"role": "user", "content": content}]}
        answer = httpx.post(OPENAI, json=said, headers={"api-key": os.environ["AZURE_OPENAI_API_KEY"]}, timeout=3)
        if answer.status_code != 200:
            return {"status": answer.status_code}
        return {"text": answer.json()["choices"][0]["message"]["content"]}


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Worker).serve_forever()
'''
LOOK = """\
import sys

import httpx

def size(url):
    return {"size": len(httpx.get(url).raise_for_status().content)}

if __name__ == "__main__":
    print(size(sys.argv[1])["size"])
"""
HEAD = """\
scenario: Production names
stack:
  blobs: {name: contosoimages, containers: [images]}
  openai: {name: contoso-models, deployments: {gpt: {answers: {text: good day}}}}
services:
  worker: {run: [python, worker.py], env: {KEY: "${blobs.key}"}, ready: {http: /}}
cases:
"""
GOOD = """\
  both_ways:
    steps:
      - http: {get: /put}
        expect: {json: {url: "https://contosoimages.blob.core.windows.net/images/a.txt"}}
      - blob: {get: images/a.txt}
        expect: {text: xxxxx}
      - blob: {put: images/a.txt, text: changed}
      - http: {get: /get}
        expect: {json: {size: 7}}
      - http: {get: "/get?at=${blobs.https_url}"}
        expect: {json: {size: 7}}
      - http: {get: /ask}
        expect: {json: {text: good day}}
      - requests: {to: openai}
        expect: {count: 1, each: {caller: worker}}
  a_signature:
    steps:
      - http: {get: /put}
      - http: {get: /sign}
        capture: {url: json.url}
      - http: {get: /fetch, query: {url: "${url}"}}
        expect: {json: {status: 200}}
      - http: {get: /fetch, query: {url: "${url}x"}}
        expect: {json: {status: 403}}
      - http: {get: "${url}"}
        expect: {status: 200, text: xxxxx}
      - http: {get: "${url}x"}
        expect: {status: 403}
      - run: {python: "look:size", with: {url: "${url}"}}
        expect: {size: 5}
      - run: {command: [python, scenarios/look.py, "${url}"]}
        expect: {code: 0, stdout: "5\\n"}
      - http: {get: "${blobs.https_url}/images/a.txt"}
        expect: {status: 401}
      - http: {get: /ask, query: {picture: "${url}"}}
        expect: {json: {text: good day}}
      - requests: {to: openai}
        expect: {count: 1, each: {images: [{size: 5}]}}
"""
FAULTS = """\
  faults:
    steps:
      - http: {get: "/put?size=5000"}
      - fault: {on: blobs, status: {code: 503, method: GET}, times: 1}
      - http: {get: /get}
        expect: {json: {status: 503}}
      - fault: {on: blobs, truncate: {after: 1000}, times: 1}
      - http: {get: /get}
        expect: {json: {size: 5000}}  # the SDK asks for the rest
      - fault: {on: blobs, reset_peer: 0s}
      - http: {get: /get}
        expect: {json: {broken: $string}}
      - fault: {clear: blobs}
      - fault: {on: blobs, down: true}
      - http: {get: /get}
        expect: {json: {broken: $string}}
      - fault: {clear: blobs}
      - fault: {on: blobs, timeout: true}
      - http: {get: /get}
        expect: {json: {broken: ServiceResponseTimeoutError}}
      - fault: {clear: all}
      - http: {get: /get}
        expect: {json: {size: 5000}}
      - fault: {on: openai, status: {code: 503}, times: 1}
      - http: {get: /ask}
        expect: {json: {status: 503}}
      - fault: {on: openai, rate_limited: 1s, times: 1}
      - http: {get: /ask}
        expect: {json: {status: 429}}
      - fault: {on: openai, reset_peer: 0s}
      - http: {get: /ask}
        expect: {json: {broken: $string}}
      - fault: {clear: openai}
      - http: {get: /ask}
        expect: {json: {text: good day}}
"""
OUTAGE = """\
  outage:
    steps:
      - http: {get: /put}
      - service: {stop: blobs}
      - http: {get: /get}
        expect: {json: {broken: $string}}
      - service: {start: blobs}
      - http: {get: /get}
        expect: {json: {size: 5}}
"""
CLOCK = """\
  clock:
    requires: [clock]
    steps:
      - http: {get: /put}
      - http: {get: /sign}
        capture: {url: json.url}
      - clock: {advance: 30m}
      - http: {get: /fetch, query: {url: "${url}"}}
        expect: {json: {status: 200}}
      - clock: {advance: 31m}
      - http: {get: /fetch, query: {url: "${url}"}}
        expect: {json: {status: 403}}
"""


@pytest.fixture
def named(project: Path) -> Path:
    """A scenario file that is not written yet."""
    (project / "worker.py").write_text(WORKER, encoding="utf-8")
    (project / "scenarios" / "look.py").write_text(LOOK, encoding="utf-8")
    return project / "scenarios" / "named.yaml"


@pytest.mark.parametrize("cases", [GOOD, FAULTS, OUTAGE, CLOCK], ids=["good", "faults", "outage", "clock"])
def test_names_lead_to_the_environment(peeklock: Run, named: Path, cases: str) -> None:
    """Both ways see the same blobs; faults strike, outages are felt, and signatures end by the clock of the case."""
    named.write_text(HEAD + cases, encoding="utf-8")
    done = peeklock("run", str(named))
    assert done.returncode == 0, done.stdout + done.stderr
    for file in named.parents[1].rglob("*.log"):
        assert "sig=" not in file.read_text(encoding="utf-8").replace("sig=***", "")


def test_a_warm_service_keeps_its_doors(peeklock: Run, named: Path) -> None:
    """The second run opens them where the first had them."""
    named.write_text(HEAD + GOOD, encoding="utf-8")
    try:
        assert peeklock("up").returncode == 0
        for _ in range(2):
            done = peeklock("run", str(named))
            assert "2 passed" in done.stdout, done.stdout + done.stderr
    finally:
        peeklock("down")


@pytest.mark.parametrize("cases", [GOOD, FAULTS], ids=["good", "faults"])
def test_they_lead_containers_to_it(peeklock: Run, named: Path, cases: str) -> None:
    engine_or_skip("peeklock/services")
    image = 'image: peeklock/services, run: [python, -c, "${file(../worker.py)}"],'
    named.write_text(HEAD.replace("run: [python, worker.py],", image) + cases, encoding="utf-8")
    done = peeklock("run", str(named), "--backend", "containers")
    assert done.returncode == 0, done.stdout + done.stderr
