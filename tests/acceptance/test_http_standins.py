"""A service that calls somebody else's HTTP, and scenarios that say what it is answered."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.acceptance.conftest import Run
from tests.conformance.stack.engine import engine_or_skip

GATEWAY = '''\
"""Hands what is posted on to what STAND_IN names, and tells what came back."""
import http.server, json, os, urllib.error, urllib.request


class Gateway(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(self.asked("GET", None) if self.path != "/" else {})

    def do_POST(self):
        self.answer(self.asked("POST", self.rfile.read(int(self.headers["content-length"]))))

    def asked(self, method, body):
        headers = {"content-type": "application/json", "authorization": "Bearer " + os.environ["KEY"]}
        request = urllib.request.Request(os.environ["STAND_IN"] + self.path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=2) as reply:
                return {"status": reply.status, "body": reply.read().decode(), "model": reply.headers.get("x-model")}
        except urllib.error.HTTPError as error:
            return {"status": error.code}
        except TimeoutError:
            return {"timeout": True}
        except Exception as error:
            return {"broken": type(error).__name__}

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Gateway).serve_forever()
'''
HEAD = """\
scenario: Scoring
vars: {model: blue}
secrets: {key: "${uuid()}"}
stack:
  http:
    aml:
      routes:
        - post: /score
          when: {body: {job: turn}}
          sequence: [{json: {n: 1}}, {json: {n: 2}}]
        - post: /score
          when: {body: {job: computed}, headers: {authorization: "Bearer ${key}"}}
          respond: {python: "answers:score"}
        - post: /score
          when: {body: {job: $string}}
          respond: {headers: {x-model: "${model}"}, json: {of: "${request.body.job}", size: "${request.size}"}}
        - {get: "/jobs/{id}", state: {is: started, becomes: done, of: "${request.parameters.id}"}, respond: {text: running}}
        - {get: "/jobs/{id}", state: {is: done, of: "${request.parameters.id}"}, respond: {template: done.txt}}
services:
  gateway: {run: [python, gateway.py], env: {STAND_IN: "${http.aml.url}", KEY: "${key}"}, ready: {http: /}}
cases:
"""
GOOD = """\
  answers:
    steps:
      - http: {post: /score, json: {job: seven}}
        expect: {json: {status: 200, model: blue, body: '{"of": "seven", "size": 15}'}}
      - http: {post: /score, json: {job: computed}}
        expect: {json: {status: 201, body: '{"seen": "POST /score"}'}}
      - http: {post: /score, json: {job: turn}}
        expect: {json: {body: '{"n": 1}'}}
      - http: {post: /score, json: {job: turn}}
        expect: {json: {body: '{"n": 2}'}}
      - requests: {to: aml, where: {body: {job: turn}, route: 0}}
        expect: {count: 2, each: {status: 200, headers: {authorization: "Bearer ***"}}}
      - http: {get: "${http.aml.url}/jobs/direct"}
        expect: {text: running}
  a_state_is_of_one_job_and_one_case:
    steps:
      - requests: {to: aml}
        expect: {count: 0}
      - http: {get: /jobs/a}
        expect: {json: {body: running}}
      - http: {get: /jobs/b}
        expect: {json: {body: running}}
      - http: {get: /jobs/a}
        expect: {json: {body: "a of blue is done\\n"}}
      - http: {get: /jobs/direct}
        expect: {json: {body: running}}
      - http: {post: /score, json: {job: turn}}
        expect: {json: {body: '{"n": 1}'}}
  faults:
    steps:
      - fault: {on: aml, status: 503, times: 1}
      - http: {post: /score, json: {job: x}}
        expect: {json: {status: 503}}
      - fault: {on: aml, truncate: 3, times: 1}
      - http: {post: /score, json: {job: x}}
        expect: {json: {broken: IncompleteRead}}
      - fault: {on: aml, reset_peer: true}
      - http: {post: /score, json: {job: x}}
        expect: {json: {broken: $string}}
      - fault: {clear: aml}
      - http: {post: /score, json: {job: x}}
        expect: {json: {status: 200}}
"""
UNFORESEEN = """\
  unforeseen:
    steps:
      - http: {post: /score, json: {jop: x}}
        expect: {json: {status: 404}}
"""
CONTRACT = """\
openapi: 3.1.0
info: {title: Scoring, version: "1"}
paths:
  /score:
    post:
      requestBody:
        required: true
        content: {application/json: {schema: {type: object, required: [job], properties: {job: {type: string}}}}}
      responses:
        "200": {description: a label, content: {application/json: {schema: {type: object}, example: {label: cat}}}}
        "400": {description: bad}
"""
BY_CONTRACT = """\
scenario: By contract
always: [contracts_hold]
stack: {http: {aml: {contract: scoring.openapi.yaml, tls: true}}}
services:
  gateway: {run: [python, gateway.py], env: {STAND_IN: "${http.aml.https_url}", KEY: none}, ready: {http: /}}
cases:
  inside:
    steps:
      - http: {post: /score, json: {job: seven}}
        expect: {json: {status: 200, body: '{"label": "cat"}'}}
      - requests: {to: aml, where: {contract: []}}
        expect: {count: 1}
      - http: {post: "${http.aml.https_url}/score", json: {job: direct}}
        expect: {json: {label: cat}}
  waived:
    allow: [contracts_hold]
    steps:
      - http: {post: /score, json: {job: 7}}
        expect: {json: {status: 400}}
"""
OUTSIDE = """\
  outside:
    steps:
      - http: {post: /score, json: {job: 7}}
        expect: {json: {status: 400}}
  failed_before_its_end:
    steps:
      - http: {post: /score, json: {job: 8}}
        expect: {json: {status: 200}}
"""
SCORER = '''\
"""Scores what is posted at an Azure ML endpoint, with a key if it is given one, else with its identity's token."""
import http.server, json, os, urllib.error, urllib.request

from azure.identity import DefaultAzureCredential


class Scorer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        key = os.environ.get("KEY") or DefaultAzureCredential().get_token("https://ml.azure.com/.default").token
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        headers |= {"azureml-model-deployment": self.path[1:]} if self.path != "/" else {}
        try:
            with urllib.request.urlopen(urllib.request.Request(os.environ["AML"] + "/score", body, headers)) as reply:
                self.answer({"status": reply.status, **json.load(reply)})
        except urllib.error.HTTPError as error:
            self.answer({"status": error.code, "model": error.headers.get("ms-azureml-model-error-statuscode")})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Scorer).serve_forever()
'''
AZURE_ML = """\
scenario: Azure ML
stack:
  http:
    aml:
      kind: azure_ml
      deployments: [blue, green]
      routes:
        - {post: /score, when: {body: {poison: true}}, respond: {status: 500}}
        - {post: /score, respond: {json: {by: "${request.deployment}"}}}
  identities: {trusted: [AzureML Data Scientist], stranger: []}
services:
  keyed: {run: [python, scorer.py], env: {AML: "${http.aml.url}", KEY: "${http.aml.key}"}, ready: {http: /}}
  trusted: {run: [python, scorer.py], env: {AML: "${http.aml.url}"}, ready: {http: /}}
  stranger: {run: [python, scorer.py], env: {AML: "${http.aml.url}"}, ready: {http: /}}
cases:
  by_key_and_by_token:
    steps:
      - http: {on: keyed, post: /, json: {a: 1}}
        expect: {json: {status: 200, by: blue}}
      - http: {on: trusted, post: /green, json: {a: 1}}
        expect: {json: {status: 200, by: green}}
      - http: {on: stranger, post: /, json: {a: 1}}
        expect: {json: {status: 403}}
      - http: {on: keyed, post: /red, json: {a: 1}}
        expect: {json: {status: 404}}
      - http: {on: keyed, post: /, json: {poison: true}}
        expect: {json: {status: 424, model: "500"}}
      - requests: {to: aml}
        expect:
          items:
            - {caller: keyed, deployment: blue, status: 200}
            - {caller: trusted, sent_as: {identity: trusted, role: AzureML Data Scientist}, deployment: green}
            - {caller: stranger, error: PermissionDenied}
            - {caller: keyed, error: DeploymentNotFound}
            - {caller: keyed, status: 424, model_status: 500}
"""


@pytest.fixture
def scoring(project: Path) -> Path:
    """A scenario file without cases."""
    (project / "gateway.py").write_text(GATEWAY, encoding="utf-8")
    said = "{'status': 201, 'json': {'seen': request['method'] + ' ' + request['path']}}"
    answers = f"def score(request):\n    assert request['data'].startswith(b'{{')\n    return {said}\n"
    (project / "scenarios" / "answers.py").write_text(answers, encoding="utf-8")
    (project / "scenarios" / "done.txt").write_text("${request.parameters.id} of ${model} is done\n", encoding="utf-8")
    file = project / "scenarios" / "scoring.yaml"
    file.write_text(HEAD, encoding="utf-8")
    return file


def test_a_service_is_answered_by_the_routes(peeklock: Run, scoring: Path) -> None:
    """Values, templates, sequences, states, functions, and faults of the connection; a case knows no other's."""
    scoring.write_text(HEAD + GOOD, encoding="utf-8")
    done = peeklock("run", str(scoring))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_request_that_no_route_knows_fails_its_case(peeklock: Run, scoring: Path) -> None:
    """Although its steps pass: the nearest route is named, with its place, and what kept it from answering."""
    scoring.write_text(HEAD + UNFORESEEN, encoding="utf-8")
    done = peeklock("run", str(scoring))
    assert done.returncode == 1
    assert "no route of aml answers POST /score" in done.stdout
    assert "scenarios/scoring.yaml:14" in done.stdout
    assert "the nearest is routes[2] (POST /score): body.job is absent" in done.stdout


def test_a_contract_answers_and_is_held(peeklock: Run, scoring: Path) -> None:
    """A request outside of it fails its case by `contracts_hold`, unless the case waives that; where a step failed first, it is told beside."""
    (scoring.parent / "scoring.openapi.yaml").write_text(CONTRACT, encoding="utf-8")
    scoring.write_text(BY_CONTRACT + OUTSIDE, encoding="utf-8")
    done = peeklock("run", str(scoring))
    assert "2 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "contracts_hold: aml: POST /score: body.job: 7 is not of type 'string'" in done.stdout
    assert "also       contracts_hold: aml: POST /score: body.job: 8 is not" in done.stdout, "a step failed by it"


def test_an_azure_ml_endpoint_takes_keys_and_tokens(peeklock: Run, project: Path) -> None:
    """Whose identity lacks the role is refused; what the model refuses is 424."""
    (project / "scorer.py").write_text(SCORER, encoding="utf-8")
    file = project / "scenarios" / "azure_ml.yaml"
    file.write_text(AZURE_ML, encoding="utf-8")
    done = peeklock("run", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


BY_HOST = """\
scenario: By host
stack:
  http:
    partner: {host: api.partner.example, routes: [{get: "/jobs/{id}", respond: {text: "${request.headers.host}"}}]}
    other: {host: api.other.example, routes: [{get: "/jobs/{id}", respond: {text: other}}]}
services:
  gateway: {SERVICE, env: {STAND_IN: "https://api.partner.example", KEY: none}, ready: {http: /}}
cases:
  leads_here:
    steps:
      - http: {get: /jobs/7}
        expect: {json: {status: 200, body: api.partner.example}}
      - http: {get: "https://api.partner.example/jobs/8"}
        expect: {text: api.partner.example}
      - http: {get: "https://api.other.example/jobs/8"}
        expect: {text: other}
      - http: {get: "${http.partner.https_url}/jobs/9"}
        expect: {status: 200}
      - fault: {on: partner, status: 503, times: 1}
      - http: {get: /jobs/7}
        expect: {json: {status: 503}}
      - requests: {to: partner}
        expect: {count: 3}
"""


@pytest.mark.parametrize("backend", ["embedded", "containers"])
def test_the_production_host_leads_to_the_stand_in(peeklock: Run, scoring: Path, backend: str) -> None:
    """Over TLS, and with the certificate that each host's clients expect; the test's own steps are led as well."""
    service = "run: [python, gateway.py]"
    if backend == "containers":
        engine_or_skip("peeklock/services")
        service = 'image: peeklock/services, run: [python, -c, "${file(../gateway.py)}"]'
    scoring.write_text(BY_HOST.replace("SERVICE", service), encoding="utf-8")
    done = peeklock("run", str(scoring), "--backend", backend)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_warm_service_keeps_its_stand_in(peeklock: Run, scoring: Path) -> None:
    """The second run answers the service that the first has left, by the routes as they are now."""
    scoring.write_text(HEAD + GOOD, encoding="utf-8")
    try:
        assert peeklock("up").returncode == 0
        assert "3 passed" in peeklock("run", str(scoring)).stdout
        (scoring.parent / "done.txt").write_text("changed\n", encoding="utf-8")
        scoring.write_text((HEAD + GOOD).replace("a of blue is done", "changed"), encoding="utf-8")
        assert "3 passed" in peeklock("run", str(scoring)).stdout
    finally:
        peeklock("down")


def test_no_key_of_an_endpoint_is_written_anywhere(peeklock: Run, project: Path) -> None:
    """Not even where a service prints it, or an expectation fails on it."""
    (project / "scorer.py").write_text(f"import os\nprint(os.environ.get('KEY'))\n{SCORER}", encoding="utf-8")
    file = project / "scenarios" / "azure_ml.yaml"
    steps = (
        "      - set: {shown: '${http.aml.key}'}\n      - requests: {to: aml}\n        expect: {count: '${shown}'}\n"
    )
    file.write_text(AZURE_ML + steps, encoding="utf-8")
    done = peeklock("run", str(file))
    assert done.returncode == 1
    log = next(project.glob(".peeklock/**/keyed.log")).read_text(encoding="utf-8")
    assert log.startswith("***")
    written = [path.read_text(errors="replace") for path in project.glob(".peeklock/run-*/**/*") if path.is_file()]
    assert not re.search(r"\b[0-9a-f]{32}\b", done.stdout + "".join(written))


def test_a_container_reaches_a_stand_in(peeklock: Run, scoring: Path) -> None:
    """At the same address as a process."""
    engine_or_skip("peeklock/services")
    service = '  gateway: {image: peeklock/services, run: [python, -c, "${file(../gateway.py)}"], env:'
    text = (HEAD + GOOD).replace("  gateway: {run: [python, gateway.py], env:", service)
    scoring.write_text(text, encoding="utf-8")
    done = peeklock("run", str(scoring), "--backend", "containers")
    assert done.returncode == 0, done.stdout + done.stderr
