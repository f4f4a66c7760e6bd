"""A worker that uses the `openai` package, and scenarios that say what Azure OpenAI answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.conftest import Run
from tests.conformance.stack.engine import engine_or_skip

WORKER = '''\
"""Asks Azure OpenAI about what is posted. Repeats nothing by itself."""
import http.server, json, os

import openai

client = openai.AzureOpenAI(api_version="2025-04-01-preview", max_retries=0)


class Worker(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})

    def do_POST(self):
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cGljdHVyZQ=="}}
        said = [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]
        try:
            found = client.chat.completions.create(model="gpt-5-2", messages=said, timeout=2).choices[0]
            self.answer({"content": found.message.content, "reason": found.finish_reason})
        except openai.APIStatusError as error:
            self.answer({"status": error.status_code, "code": error.code})
        except openai.APITimeoutError:
            self.answer({"timeout": True})

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Worker).serve_forever()
'''
HEAD = """\
scenario: Looking
vars: {word: friend}
stack:
  openai:
    deployments:
      gpt-5-2:
        answers:
          - when: {text: {$contains: turn}}
            sequence: [{text: one}, {text: two}]
          - when: {text: picture}
            python: "answers:look"
          - {when: {text: hello}, text: "good day, ${word}"}
services:
  worker: {run: [python, asking.py], ready: {http: /}}
cases:
"""
GOOD = """\
  answers:
    steps:
      - http: {post: /, text: hello}
        expect: {json: {content: "good day, friend"}}
      - http: {post: /, text: picture}
        expect: {json: {content: '{"size": 7}'}}
      - http: {post: /, text: turn}
        expect: {json: {content: one}}
      - http: {post: /, text: turn}
        expect: {json: {content: two}}
      - requests: {to: openai, where: {text: turn, caller: worker}}
        expect: {count: 2, each: {status: 200, images: [{media_type: image/png, size: 7}]}}
  a_case_begins_anew:
    steps:
      - requests: {to: openai}
        expect: {count: 0}
      - http: {post: /, text: turn}
        expect: {json: {content: one}}
  faults:
    steps:
      - fault: {on: openai, rate_limited: 2s, times: 1}
      - http: {post: /, text: hello}
        expect: {json: {status: 429}}
      - fault: {on: openai, content_filter: completion, times: 1}
      - http: {post: /, text: hello}
        expect: {json: {reason: content_filter}}
      - fault: {on: openai, status: 503, times: 1}
      - http: {post: /, text: hello}
        expect: {json: {status: 503}}
      - fault: {on: openai, timeout: true}
      - http: {post: /, text: hello}
        expect: {json: {timeout: true}}
      - fault: {clear: openai}
      - http: {post: /, text: hello}
        expect: {json: {content: "good day, friend"}}
      - requests: {to: openai, where: {fault: $string}}
        expect: {items: [{fault: rate_limited, status: 429}, {fault: content_filter, status: 200}]}
"""
UNFORESEEN = """\
  unforeseen:
    steps:
      - http: {post: /, text: helo}
        expect: {json: {status: 400, code: no_answer}}
"""


IN_A_CONTAINER = """\
scenario: In a container
stack:
  openai: {deployments: {gpt: {answers: {text: good day}}}}
services:
  worker:
    image: peeklock/services
    ready: {http: /}
    run:
      - python
      - -c
      - |
        import http.server, json, os, urllib.error, urllib.request
        PATH = "/openai/deployments/gpt/chat/completions?api-version=2025-04-01-preview"
        class Worker(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps({"messages": [{"role": "user", "content": "hello"}]}).encode()
                key = {"api-key": os.environ["AZURE_OPENAI_API_KEY"]}
                asked = urllib.request.Request(os.environ["AZURE_OPENAI_ENDPOINT"] + PATH, body, key)
                said = b"{}"
                if self.path != "/":
                    try:
                        said = urllib.request.urlopen(asked, timeout=5).read()
                    except urllib.error.HTTPError as error:
                        said = json.dumps({"status": error.code}).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(said)
        http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Worker).serve_forever()
cases:
  asks:
    steps:
      - http: {get: /ask}
        expect: {json: {choices: [{message: {content: good day}}]}}
      - fault: {on: openai, FAULT, times: 1}
      - http: {get: /ask}
        expect: {json: {status: 503}}
      - requests: {to: openai, where: {status: 200}}
        expect: {count: 1, each: {caller: worker}}
"""


@pytest.fixture
def looking(project: Path) -> Path:
    """A scenario file without cases."""
    (project / "asking.py").write_text(WORKER, encoding="utf-8")
    answers = "def look(request):\n    return {'size': len(request['images'][0]['data'])}\n"
    (project / "scenarios" / "answers.py").write_text(answers, encoding="utf-8")
    file = project / "scenarios" / "looking.yaml"
    file.write_text(HEAD, encoding="utf-8")
    return file


def test_a_service_is_answered_by_the_scenario(peeklock: Run, looking: Path) -> None:
    """Fixed answers, sequences, functions with pictures, faults of the stand-in and of the connection; a case knows no other's."""
    looking.write_text(HEAD + GOOD, encoding="utf-8")
    done = peeklock("run", str(looking))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_request_that_no_rule_answers_fails_its_case(peeklock: Run, looking: Path) -> None:
    """Although its steps pass; the nearest rule is told, and no key is anywhere in what the run has written."""
    looking.write_text(HEAD + UNFORESEEN, encoding="utf-8")
    done = peeklock("run", str(looking))
    assert done.returncode == 1
    assert "no rule answers a request to gpt-5-2" in done.stdout
    assert 'the nearest is answers[2]: text is "helo", not "hello"' in done.stdout
    assert "scenarios/looking.yaml:" in done.stdout


def test_a_warm_service_keeps_its_endpoint(peeklock: Run, looking: Path) -> None:
    """The second run answers the service that the first has left."""
    looking.write_text(HEAD + GOOD, encoding="utf-8")
    try:
        assert peeklock("up").returncode == 0
        assert "3 passed" in peeklock("run", str(looking)).stdout
        assert "3 passed" in peeklock("run", str(looking)).stdout
    finally:
        peeklock("down")


@pytest.mark.parametrize("fault", ["server_error: 503", "status: 503"])
def test_a_container_is_answered_too(peeklock: Run, looking: Path, fault: str) -> None:
    """Directly, and through the relay that faults of connections need."""
    engine_or_skip("peeklock/services")
    looking.write_text(IN_A_CONTAINER.replace("FAULT", fault), encoding="utf-8")
    done = peeklock("run", str(looking), "--backend", "containers")
    assert "1 passed" in done.stdout, done.stdout + done.stderr
