"""The stand-in against the real `openai` package."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from peeklock.scenario import topology
from peeklock.standins import Surroundings
from peeklock.standins.openai import KINDS
from peeklock.standins.openai.stand_in import OpenAIStandIn

KEY, WORKERS = "k" * 32, "w" * 32
RULES: dict[str, Any] = {
    "deployments": {
        "gpt-5-2": {
            "model": "gpt-5.2",
            "answers": [
                {"when": {"text": "in turn"}, "sequence": [{"text": "first"}, {"text": "second"}]},
                {"when": {"images": [{"media_type": "image/png"}]}, "python": "answers:look"},
                {"when": {"text": {"$contains": "blade"}}, "json": {"defect": True, "confidence": 0.92}},
                {"when": {"text": "recorded"}, "file": "recorded.json"},
                {"when": {"instructions": "Be kind."}, "text": "A good day to you, whoever you may be, and to yours."},
            ],
        },
        "vectors": {"embeddings": {"dimensions": 32}},
    }
}
RECORDED = {
    "id": "chatcmpl-1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weigh", "arguments": '{"grams": 5}'}}
                ],
            },
        }
    ],
}
PNG = "data:image/png;base64," + base64.b64encode(b"not really a picture").decode()
KIND = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]


class Here:
    """Calls functions in this process."""

    def call(self, file: Path, function: str, inputs: dict[str, Any], seconds: float) -> Any:
        scope: dict[str, Any] = {}
        exec(file.read_text(encoding="utf-8"), scope)
        return scope[function](**inputs)

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def standin(tmp_path: Path, port: int) -> Iterator[OpenAIStandIn]:
    (tmp_path / "answers.py").write_text("def look(request):\n    return {'size': len(request['images'][0]['data'])}\n")
    (tmp_path / "recorded.json").write_text(json.dumps(RECORDED))
    spec = topology.OpenAI.model_validate(RULES, context={"folder": tmp_path})
    surroundings = Surroundings(lambda value, /, **_: value, lambda _: "a.yaml:7", tmp_path, Here(), time.time)
    made = OpenAIStandIn(spec, port, {"": KEY, "worker": WORKERS}, surroundings)
    yield made
    made.close()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture
def url(port: int, standin: OpenAIStandIn) -> str:
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def client(url: str) -> Iterator[AzureOpenAI]:
    with AzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="2025-04-01-preview", max_retries=0) as made:
        yield made


def ask(client: Any, text: str = "Look at this blade", **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-5-2", messages=[{"role": "user", "content": text}], **more)


def begin(standin: OpenAIStandIn, kind: str, times: int | None = 1, **settings: Any) -> None:
    standin.faults.begin(KINDS[kind](**settings), times, None)


def test_an_answer_has_what_azure_s_has(client: AzureOpenAI) -> None:
    found = ask(client)
    (choice,) = found.choices
    assert json.loads(choice.message.content) == {"defect": True, "confidence": 0.92}
    assert (choice.finish_reason, choice.message.refusal, found.model) == ("stop", None, "gpt-5.2")
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens > 0
    assert choice.model_extra["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    assert found.model_extra["prompt_filter_results"][0]["prompt_index"] == 0


def test_the_v1_path_takes_the_key_as_a_bearer_token(standin: OpenAIStandIn, url: str) -> None:
    with OpenAI(base_url=f"{url}/openai/v1", api_key=WORKERS, max_retries=0) as client:
        assert "defect" in ask(client).choices[0].message.content
    (entry,) = standin.journal.entries()
    assert (entry.view["api"], entry.view["caller"]) == ("v1", "worker")


def test_a_stream_says_the_same_in_pieces(client: AzureOpenAI) -> None:
    whole = client.chat.completions.create(model="gpt-5-2", messages=KIND).choices[0].message.content
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="gpt-5-2", messages=KIND, stream=True, stream_options=options))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert "".join(pieces) == whole
    assert len(pieces) > 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0


async def _async_stream(url: str) -> str:
    async with AsyncAzureOpenAI(azure_endpoint=url, api_key=KEY, api_version="2025-04-01-preview") as client:
        stream = await client.chat.completions.create(model="gpt-5-2", messages=KIND, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])


def test_the_async_client_streams_too(url: str) -> None:
    assert asyncio.run(_async_stream(url)) == "A good day to you, whoever you may be, and to yours."


def test_a_function_gets_pictures_as_bytes(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    parts = [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}]
    found = client.chat.completions.create(model="gpt-5-2", messages=[{"role": "user", "content": parts}])
    assert json.loads(found.choices[0].message.content) == {"size": 20}
    (entry,) = standin.journal.entries()
    assert entry.view["images"][0]["detail"] == "high"
    assert "base64,bm" not in json.dumps(entry.view)


def test_a_sequence_answers_in_turn_and_then_no_more(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    said = [ask(client, "in turn").choices[0].message.content for _ in range(2)]
    assert said == ["first", "second"]
    with pytest.raises(openai.BadRequestError, match="no rule answers"):
        ask(client, "in turn")
    assert "its sequence of 2 answers is used up" in standin.journal.entries()[-1].problem


def test_a_request_without_a_rule_is_told_with_the_nearest(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    with pytest.raises(openai.BadRequestError, match="no rule answers a request to gpt-5-2"):
        ask(client, "recordet")
    (entry,) = standin.journal.entries()
    assert 'the nearest is answers[3]: text is "recordet", not "recorded"' in entry.problem
    assert "a.yaml:7" in entry.problem


def test_a_recorded_answer_goes_out_as_it_is(client: AzureOpenAI) -> None:
    (call,) = ask(client, "recorded").choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weigh", '{"grams": 5}')
    deltas = [c.choices[0].delta for c in ask(client, "recorded", stream=True) if c.choices]
    assert [d.tool_calls[0].function.name for d in deltas if d.tool_calls] == ["weigh"]


class Finding(BaseModel):
    defect: bool
    confidence: float


class Severity(BaseModel):
    severity: str


def test_structured_output_is_parsed(client: AzureOpenAI) -> None:
    messages = [{"role": "user", "content": "blade"}]
    found = client.chat.completions.parse(model="gpt-5-2", messages=messages, response_format=Finding)
    assert found.choices[0].message.parsed == Finding(defect=True, confidence=0.92)


def test_an_answer_outside_the_schema_of_the_request_fails_the_case(client: AzureOpenAI, standin: Any) -> None:
    with pytest.raises(openai.BadRequestError, match="outside the schema"):
        client.chat.completions.parse(
            model="gpt-5-2", messages=[{"role": "user", "content": "blade"}], response_format=Severity
        )
    assert "severity" in standin.journal.entries()[-1].problem


def test_embeddings_depend_on_the_text_alone(client: AzureOpenAI) -> None:
    found = client.embeddings.create(
        model="vectors", input=["a sharp blade", "a sharp knife", "bread", "a sharp blade"]
    )
    one, near, far, same = (each.embedding for each in found.data)
    assert one == same
    assert len(one) == 32
    assert sum(a * b for a, b in zip(one, near, strict=True)) > sum(a * b for a, b in zip(one, far, strict=True))
    assert len(client.embeddings.create(model="vectors", input="x", dimensions=8).data[0].embedding) == 8


def test_refusals_are_azure_s(client: AzureOpenAI, standin: OpenAIStandIn, url: str) -> None:
    with pytest.raises(openai.AuthenticationError) as denied:
        ask(client.with_options(api_key="wrong"))
    assert denied.value.code == "401"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-6", messages=KIND)
    assert unknown.value.code == "DeploymentNotFound"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="vectors", messages=KIND)
    assert wrong.value.code == "OperationNotSupported"
    path = f"{url}/openai/deployments/gpt-5-2/chat/completions"
    assert httpx.post(path, json={"messages": KIND}, headers={"api-key": KEY}).status_code == 404  # no api-version
    assert not any(entry.problem for entry in standin.journal.entries())


def test_a_rate_limit_has_both_headers(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "rate_limited", retry_after=1.5)
    with pytest.raises(openai.RateLimitError) as limited:
        ask(client)
    headers = limited.value.response.headers
    assert (headers["retry-after-ms"], headers["retry-after"], limited.value.code) == ("1500", "2", "429")
    assert ask(client).choices


def test_the_client_itself_gets_over_a_short_rate_limit(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "rate_limited", retry_after=0.001)
    assert ask(client.with_options(max_retries=1)).choices
    assert [entry.view["status"] for entry in standin.journal.entries()] == [429, 200]


def test_a_server_error_is_one(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "server_error", code=503)
    with pytest.raises(openai.InternalServerError) as failed:
        ask(client)
    assert failed.value.status_code == 503


def test_a_filtered_prompt_is_refused(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "content_filter")
    with pytest.raises(openai.BadRequestError) as filtered:
        ask(client)
    assert filtered.value.code == "content_filter"
    inner: Any = filtered.value.body
    assert inner["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert inner["innererror"]["content_filter_result"]["violence"]["filtered"] is True


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [("content_filter", {"of": "completion"}, "content_filter"), ("length", {}, "length"), ("cut_off", {}, "stop")],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_spoilt_answer_is_no_json(
    client: AzureOpenAI, standin: OpenAIStandIn, kind: str, settings: dict[str, Any], reason: str, stream: bool
) -> None:
    begin(standin, kind, **settings)
    said, why = heard(ask(client, stream=stream), stream)
    assert why == reason
    with pytest.raises(json.JSONDecodeError):
        json.loads(said)


def heard(answer: Any, stream: bool) -> tuple[str, str]:
    if not stream:
        return answer.choices[0].message.content, answer.choices[0].finish_reason
    choices = [chunk.choices[0] for chunk in answer if chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices), choices[-1].finish_reason


def test_a_refusal_is_told_apart(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "refusal", text="No.")
    message = ask(client).choices[0].message
    assert (message.content, message.refusal) == (None, "No.")


def test_a_fault_strikes_its_deployment_only(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "server_error", deployment="vectors")
    assert ask(client).choices
    assert standin.faults.end() == 0


def test_an_embedding_does_not_use_up_what_spoils_a_completion(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    begin(standin, "refusal")
    assert client.embeddings.create(model="vectors", input="x").data
    assert ask(client).choices[0].message.refusal


def test_no_key_is_in_the_journal(client: AzureOpenAI, standin: OpenAIStandIn) -> None:
    ask(client)
    with pytest.raises(openai.AuthenticationError):
        ask(client.with_options(api_key="another-secret"))
    told = str(standin.journal.entries())
    assert KEY not in told
    assert "another-secret" not in told


def test_a_new_case_has_an_empty_journal_and_sequences_from_their_start(
    client: AzureOpenAI, standin: OpenAIStandIn
) -> None:
    ask(client, "in turn")
    standin.reset()
    assert standin.journal.entries() == []
    assert ask(client, "in turn").choices[0].message.content == "first"


@pytest.fixture
def link() -> Iterator[str]:
    class Pictures(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.startswith("/blade.png") else 404)
            self.send_header("content-type", "image/png")
            self.end_headers()
            self.wfile.write(b"12345")

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_link_to_a_picture_is_followed(client: AzureOpenAI, link: str) -> None:
    def look(path: str) -> Any:
        parts = [{"type": "image_url", "image_url": {"url": f"{link}/{path}?sig=secret"}}]
        return client.chat.completions.create(model="gpt-5-2", messages=[{"role": "user", "content": parts}])

    assert json.loads(look("blade.png").choices[0].message.content) == {"size": 5}
    with pytest.raises(openai.BadRequestError) as gone:
        look("other.png")
    assert gone.value.code == "invalid_image_url"
    assert "secret" not in str(gone.value)
