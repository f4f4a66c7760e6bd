"""Services without any key: managed identities with roles, by the real SDKs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from peeklock.stack.embedded.tools import node
from tests.acceptance.conftest import Run
from tests.conformance.servicebus.js.test_parity import modules
from tests.conformance.stack.engine import engine_or_skip

API = '''\
"""Sends what is posted to /QUEUE, and tells what became of it. It knows production's names, and no key."""
import http.server, json, os

from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential
from azure.servicebus import ServiceBusClient, ServiceBusMessage

assert not [name for name in os.environ if name.endswith(("CONNECTION_STRING", "API_KEY"))]


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        namespace = os.environ["NAMESPACE"] + ".servicebus.windows.net"
        try:
            with ServiceBusClient(namespace, DefaultAzureCredential(), retry_total=0) as client:
                with client.get_queue_sender(self.path.strip("/")) as sender:
                    sender.send_messages(ServiceBusMessage("x"))
            self.answer({"sent": True})
        except AzureError as error:
            self.answer({"error": type(error).__name__, "text": str(error)})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Api).serve_forever()
'''
WORKER = '''\
"""Asks Azure OpenAI about each message, with the token of its identity; dead-letters what it may not ask."""
import os

import openai
from azure.identity import DefaultAzureCredential, get_bearer_token_provider
from azure.servicebus import ServiceBusClient

credential = DefaultAzureCredential()
tokens = get_bearer_token_provider(credential, "https://cognitiveservices.azure.com/.default")
asked = openai.AzureOpenAI(api_version="2025-04-01-preview", azure_ad_token_provider=tokens, max_retries=0)
with ServiceBusClient(os.environ["NAMESPACE"] + ".servicebus.windows.net", credential) as client:
    with client.get_queue_receiver("jobs") as receiver:
        print("worker.ready", flush=True)
        for message in receiver:
            said = [{"role": "user", "content": str(message)}]
            try:
                asked.chat.completions.create(model="gpt", messages=said)
                receiver.complete_message(message)
            except openai.AuthenticationError as error:
                receiver.dead_letter_message(message, reason=error.code)
'''
JAVASCRIPT = """\
import { createServer } from "node:http";
import { createRequire } from "node:module";

const required = createRequire(`${process.argv[2]}/`);
const { DefaultAzureCredential } = required("@azure/identity");
const { ServiceBusClient } = required("@azure/service-bus");
const namespace = `${process.env.NAMESPACE}.servicebus.windows.net`;
const client = new ServiceBusClient(namespace, new DefaultAzureCredential());
createServer(async (request, response) => {
  if (request.method === "POST") await client.createSender("jobs").sendMessages({ body: "from JavaScript" });
  response.end();
}).listen(process.env.PORT, "127.0.0.1");
"""
HEAD = """\
scenario: No key anywhere
vars: {namespace: contoso-orders-1}
stack:
  servicebus: {name: contoso-orders-1, queues: {jobs: , other: }}
  openai: {deployments: {gpt: {answers: {text: seen}}}}
  identities:
    api: [{role: Azure Service Bus Data Sender, on: jobs}]
    worker: [{role: Azure Service Bus Data Receiver, on: jobs}, Cognitive Services OpenAI User]
services:
  api: {run: [python, api.py], env: {NAMESPACE: "${namespace}"}, ready: {http: /}}
  worker: {run: [python, asking.py], env: {NAMESPACE: "${namespace}"}, ready: {log: worker.ready}}
"""
CASES = """\
cases:
  by_role:
    steps:
      - http: {on: api, post: /jobs, text: x}
        expect: {json: {sent: true}}
      - messages: {queue: jobs}
        expect:
          items:
            - outcome: completed
              sender: api
              sent_as: {identity: api, role: Azure Service Bus Data Sender}
              received_as: [{identity: worker, role: Azure Service Bus Data Receiver}]
        eventually: 20s
      - requests: {to: openai}
        expect: {items: [{caller: worker, sent_as: {identity: worker, role: Cognitive Services OpenAI User}}]}
  nowhere_else:
    steps:
      - http: {on: api, post: /other, text: x}
        expect: {json: {error: ServiceBusAuthorizationError, text: {$contains: "'Send' claim(s) are required"}}}
      - queue: other
        expect: {active: 0}
  taken_away:
    allow: [no_dead_letters]
    steps:
      - identity: {of: worker, revoke: Cognitive Services OpenAI User}
        expect: {roles: [{role: Azure Service Bus Data Receiver, on: jobs}]}
      - http: {on: api, post: /jobs, text: x}
      - messages: {queue: jobs}
        expect: {items: [{outcome: dead_lettered, dead_letter_reason: PermissionDenied}]}
        eventually: 20s
      - identity: {of: api, grant: Azure Service Bus Data Sender, on: other}
      - http: {on: api, post: /other, text: x}
        expect: {json: {sent: true}}
  begins_with_what_is_declared:
    steps:
      - identity: worker
        expect: {roles: {$len: 2}}
      - http: {on: api, post: /other, text: x}
        expect: {json: {error: ServiceBusAuthorizationError}}
"""


@pytest.fixture
def keyless(project: Path) -> Path:
    """A project whose services have identities."""
    shutil.rmtree(project / "scenarios", ignore_errors=True)
    (project / "api.py").write_text(API)
    (project / "asking.py").write_text(WORKER)
    (project / "sends.mjs").write_text(JAVASCRIPT)
    return project


def run(peeklock: Run, project: Path, text: str, *options: str) -> tuple[int, str]:
    (project / "keyless.yaml").write_text(text)
    done = peeklock("run", "keyless.yaml", *options)
    return done.returncode, done.stdout + done.stderr


def test_roles_let_services_in_and_nowhere_else(peeklock: Run, keyless: Path) -> None:
    """Send, receive and ask by token; the ledger and the journal tell by which identity and role; changes end with their case."""
    code, said = run(peeklock, keyless, HEAD + CASES)
    assert "4 passed" in said, said
    assert code == 0


def test_containers_have_identities_too(peeklock: Run, keyless: Path) -> None:
    engine_or_skip("peeklock/services")
    code, said = run(peeklock, keyless, HEAD + CASES, "--backend", "containers")
    assert "4 passed" in said, said
    assert code == 0


FORMS = """\
scenario: Every form
stack:
  servicebus: {name: contoso-orders-1, queues: {jobs: }}
  identities: {shared: [Azure Service Bus Data Sender], api: [Azure Service Bus Data Receiver]}
services:
  api: {run: [python, api.py], env: {NAMESPACE: contoso-orders-1}, ready: {http: /}, identity: IDENTITY}
cases:
  sends:
    steps:
      - http: {on: api, post: /jobs, text: x}
        expect: {json: {sent: true}}
      - messages: {queue: jobs}
        expect: {items: [{sender: api, sent_as: {identity: shared}}]}
"""


@pytest.mark.parametrize("form", ["container-apps", "imds", "workload-identity"])
def test_one_user_assigned_identity_is_the_one_that_is_meant(peeklock: Run, keyless: Path, form: str) -> None:
    """AZURE_CLIENT_ID says which, as in production."""
    text = FORMS.replace("api: [Azure Service Bus Data Receiver]", "").replace(
        "IDENTITY", f"{{of: shared, form: {form}}}"
    )
    code, said = run(peeklock, keyless, text)
    assert "1 passed" in said, said
    assert code == 0


def test_of_several_identities_the_service_chooses(peeklock: Run, keyless: Path) -> None:
    """The system-assigned one without more, another one by its client id."""
    text = FORMS.replace("IDENTITY", "[api, shared]")
    code, said = run(peeklock, keyless, text)
    assert code == 1
    assert "the identity api may not Send on jobs: it lacks {role: Azure Service Bus Data Sender, on: jobs}" in said
    own = "env: {AZURE_CLIENT_ID: '${identities.shared.client_id}', "
    code, said = run(peeklock, keyless, text.replace("env: {", own))
    assert "1 passed" in said, said


def test_a_service_without_identity_gets_no_token_and_is_told_why(peeklock: Run, keyless: Path) -> None:
    """Its request is refused as Azure does it, and the case that fails by it names the service, the line and the remedy."""
    other = "  other: {run: [python, api.py], env: {NAMESPACE: contoso-orders-1}, ready: {http: /}}\ncases:"
    text = HEAD + CASES.replace("cases:", other).replace("on: api, post: /jobs", "on: other, post: /jobs")
    (keyless / "api.py").write_text(API.replace("assert not", "assert True or"))
    code, said = run(peeklock, keyless, text, "-k", "by_role")
    assert code == 1
    assert "other asked for a token, and has no such identity" in said
    assert "say `identity:` at the service, keyless.yaml:12" in said


@pytest.mark.parametrize("form", ["container-apps", "imds", "workload-identity"])
def test_javascript_s_clients_are_let_in(peeklock: Run, keyless: Path, form: str) -> None:
    command = f"[{node().node}, sends.mjs, {modules()}]"
    text = f"""\
scenario: From Node
stack:
  servicebus: {{name: contoso-orders-1, queues: {{jobs: }}}}
  identities: {{api: [Azure Service Bus Data Sender]}}
services:
  api: {{run: {command}, env: {{NAMESPACE: contoso-orders-1}}, ready: {{http: /}}, identity: {{of: api, form: {form}}}}}
cases:
  sent:
    steps:
      - http: {{on: api, post: /, text: x}}
      - messages: {{queue: jobs}}
        expect: {{items: [{{sent_as: {{identity: api, role: Azure Service Bus Data Sender}}}}]}}
        eventually: 20s
"""
    code, said = run(peeklock, keyless, text)
    assert "1 passed" in said, said
    assert code == 0


def test_days_of_moved_clock_need_new_tokens(peeklock: Run, keyless: Path) -> None:
    """The tokens' times are those of the case's clock: nothing expires too early, and nothing lasts for ever."""
    case = """\
cases:
  days:
    steps:
      - http: {on: api, post: /jobs, text: x}
        expect: {json: {sent: true}}
      - clock: {advance: 5d}
      - http: {on: api, post: /jobs, text: x}
        expect: {json: {sent: true}}
      - messages: {queue: jobs}
        expect: {count: 2, each: {outcome: completed}}
        eventually: 20s
"""
    code, said = run(peeklock, keyless, HEAD + case)
    assert "1 passed" in said, said
    assert code == 0


def test_roles_outlive_the_emulator(peeklock: Run, keyless: Path) -> None:
    """It comes back with the roles that it had, those that the case has changed included."""
    case = """\
cases:
  away:
    steps:
      - identity: {of: api, grant: Azure Service Bus Data Sender, on: other}
      - identity: {of: api, revoke: Azure Service Bus Data Sender, on: jobs}
      - service: {kill: servicebus}
      - service: {start: servicebus}
      - http: {on: api, post: /jobs, text: x}
        expect: {json: {error: ServiceBusAuthorizationError}}
      - http: {on: api, post: /other, text: x}
        expect: {json: {sent: true}}
"""
    code, said = run(peeklock, keyless, HEAD + case)
    assert "1 passed" in said, said
    assert code == 0


def test_a_warm_stack_keeps_its_identities(peeklock: Run, keyless: Path) -> None:
    """The services go on from run to run; the tokens that they have stay good."""
    (keyless / "keyless.yaml").write_text(HEAD + CASES)
    try:
        assert peeklock("up").returncode == 0
        for _ in range(2):
            done = peeklock("run", "keyless.yaml", "-k", "by_role")
            assert "1 passed" in done.stdout, done.stdout
    finally:
        peeklock("down")


def test_a_base_is_named_as_the_place_of_what_it_declares(peeklock: Run, keyless: Path) -> None:
    (keyless / "base.yaml").write_text(HEAD.replace("scenario:", "base:", 1))
    other = CASES.replace("expect: {json: {error: ServiceBusAuthorizationError", "expect: {json: {error: None", 1)
    code, said = run(peeklock, keyless, f"scenario: Above\nextends: base.yaml\n{other}", "-k", "nowhere_else")
    assert code == 1
    assert "grant it in stack.identities.api, base.yaml:7" in said


def test_a_stranger_at_the_endpoint_explains_nothing(peeklock: Run, keyless: Path) -> None:
    """A name that no service has was asked for: the case fails with its own reason."""
    asks = "import os, urllib.request as r\nat = os.environ['IDENTITY_ENDPOINT'].replace('service-api', 'nobody')\n"
    asks += "try: r.urlopen(at + '?api-version=2019-08-01&resource=x')\nexcept OSError as error: print(error)\n"
    (keyless / "api.py").write_text(asks + API)
    text = HEAD + CASES.replace("expect: {json: {error: ServiceBusAuthorizationError", "expect: {json: {error: None", 1)
    code, said = run(peeklock, keyless, text, "-k", "nowhere_else")
    assert code == 1
    assert "nobody" not in said
    assert "the identity api may not Send on other" in said


UPLOADS = """\
import http.server, os

from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient

account = BlobServiceClient("https://contosoimages.blob.core.windows.net", DefaultAzureCredential(), retry_total=0)


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200)

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        try:
            account.get_blob_client(self.path.strip("/"), "photo").upload_blob(b"x")
            self.answer(200)
        except HttpResponseError as error:
            self.answer(error.status_code)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Api).serve_forever()
"""
BLOBS = """\
scenario: Blobs by role
stack:
  blobs: {name: contosoimages, containers: [raw, processed]}
  identities: {api: [{role: Storage Blob Data Contributor, on: raw}]}
services:
  api: {run: [python, uploads.py], ready: {http: /}}
cases:
  where_the_role_is:
    steps:
      - http: {post: /raw, text: x}
        expect: {status: 200}
      - requests: {to: blobs, where: {method: PUT}}
        expect:
          items:
            - path: raw/photo
              status: 201
              caller: api
              sent_as: {identity: api, role: Storage Blob Data Contributor}
  nowhere_else:
    steps:
      - http: {post: /processed, text: x}
        expect: {status: 403}
      - requests: {to: blobs, where: {container: processed}}
        expect: {items: [{error: AuthorizationPermissionMismatch, lacks: Storage Blob Data Contributor}]}
      - blob: {head: processed/photo}
        expect: {exists: false}
"""


def test_blobs_are_reached_by_role_and_the_journal_tells_whose(peeklock: Run, keyless: Path) -> None:
    (keyless / "uploads.py").write_text(UPLOADS)
    code, said = run(peeklock, keyless, BLOBS)
    assert "2 passed" in said, said
    assert code == 0


def test_a_missing_role_on_blobs_is_named(peeklock: Run, keyless: Path) -> None:
    (keyless / "uploads.py").write_text(UPLOADS)
    code, said = run(peeklock, keyless, BLOBS.replace("expect: {status: 403}", "expect: {status: 200}"))
    assert code == 1
    grant = (
        "the identity api may not PUT processed/photo: it lacks {role: Storage Blob Data Contributor, on: processed}"
    )
    assert f"{grant}; grant it in stack.identities.api, keyless.yaml:4" in said
