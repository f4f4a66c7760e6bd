"""What a stand-in makes of a body: encodings, forms, and answers in pieces."""

from __future__ import annotations

import gzip
import socket
import zlib
from typing import Any

import httpx
import pytest

from peeklock import PeeklockError
from peeklock.standins.http import HttpStandIn

ALL: list[dict[str, Any]] = [{"any": "/{all*}", "respond": {}}]


def seen(content: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """Return what the journal has of a request."""
    with HttpStandIn(ALL) as it:
        httpx.post(it.url, content=content, headers=headers)
        return it.requests[0]


@pytest.mark.parametrize(("encoding", "packed"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_matched_as_what_it_holds(encoding: str, packed: Any) -> None:
    routes = [{"post": "/", "when": {"body": {"id": 7}}, "respond": {"json": "${request.body}"}}]
    with HttpStandIn(routes) as it:
        found = httpx.post(it.url, content=packed(b'{"id": 7}'), headers={"content-encoding": encoding})
        assert found.json() == {"id": 7}


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b"whole")[:-9], gzip.compress(bytes(80 << 20))], ids=["other", "cut", "bomb"]
)
def test_what_cannot_be_decompressed_stays_as_it_came(body: bytes) -> None:
    """Nor is a bomb blown up."""
    assert seen(body, {"content-encoding": "gzip", "content-type": "application/octet-stream"})["size"] == len(body)


def test_the_fields_and_files_of_a_multipart_form_are_matched() -> None:
    when = {"body": {"name": "blade", "picture": {"filename": "a.png", "content_type": "image/png", "size": 6}}}
    with HttpStandIn([{"post": "/", "when": when, "respond": {"status": 201}}]) as it:
        form = {"name": "blade", "tag": ["x", "y"], "password": "hush"}
        files = {"picture": ("a.png", b"\x89PNG\r\n", "image/png"), "meta": ("m.json", b'{"n": 1}', "application/json")}
        assert httpx.post(it.url, data=form, files=files).status_code == 201
        body = it.requests[0]["body"]
        assert (body["tag"], body["meta"]["content"], body["password"]) == (["x", "y"], {"n": 1}, "***")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("body", [b"", b"--x", b"--x\r\n\r\n", b"--x\r\nno head\r\n\r\nbody\r\n--x--"])
def test_a_form_that_is_none_has_no_body(kind: str, body: bytes) -> None:
    assert "body" not in seen(body, {"content-type": kind})


def test_an_answer_goes_out_in_pieces_and_as_events() -> None:
    """What a piece holds is looked up in the request, the journal shows the whole, and HEAD gets none of it."""
    events = [{"event": "delta", "data": {"n": "${request.query.n}"}}, {"data": "a\nb", "delay": "1ms", "id": "2"}]
    routes: list[dict[str, Any]] = [
        {"any": "/events", "respond": {"events": events}},
        {"get": "/lines", "respond": {"chunks": [{"json": {"a": 1}}, {"json": 2, "delay": "1ms"}]}},
        {"get": "/text", "respond": {"chunks": [{"text": "o"}, {"text": "k"}]}},
    ]
    with HttpStandIn(routes) as it:
        told = httpx.get(f"{it.url}/events?n=7")
        assert told.text == 'event: delta\ndata: {"n": "7"}\n\nid: 2\ndata: a\ndata: b\n\n'
        assert told.headers["content-type"] == "text/event-stream"
        assert httpx.head(f"{it.url}/events?n=7").content == b""
        lines, text = httpx.get(f"{it.url}/lines"), httpx.get(f"{it.url}/text")
        assert (lines.text, lines.headers["content-type"]) == ('{"a": 1}\n2\n', "application/x-ndjson")
        assert text.text == "ok"
        assert [each["answer"] for each in it.requests[-2:]] == ['{"a": 1}\n2\n', "ok"]


def test_the_first_piece_comes_before_the_last_is_due_and_who_goes_is_not_waited_for() -> None:
    chunks = [{"text": "first"}, {"text": "never", "delay": "1h"}]
    with HttpStandIn([{"get": "/", "respond": {"chunks": chunks}}]) as it, httpx.stream("GET", it.url) as answer:
        assert next(answer.iter_bytes()) == b"first"


@pytest.mark.parametrize(
    ("respond", "told"),
    [
        ({"chunks": []}, "chunks"),
        ({"chunks": [{"text": "a", "json": 1}]}, "say text or json"),
        ({"events": [{"data": 1, "name": "x"}]}, 'unknown key "name"'),
        ({"events": [{"data": 1}], "text": "a"}, "say at most one of"),
    ],
)
def test_pieces_that_are_wrong_are_refused(respond: dict[str, Any], told: str) -> None:
    with pytest.raises(PeeklockError, match=told):
        HttpStandIn([{"get": "/", "respond": respond}])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n" + bytes(65 << 20), b" 413 "),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"a%d: b\r\n" % n for n in range(9999)), b" 431 "),
        (b"hello?\r\n\r\n", b" 400 "),
    ],
    ids=["long", "headers", "other"],
)
def test_what_a_hostile_client_sends_is_refused_and_the_next_is_answered(sent: bytes, status: bytes) -> None:
    with HttpStandIn(ALL) as it:
        with socket.create_connection(("127.0.0.1", int(it.url.rpartition(":")[2])), timeout=30) as client:
            try:
                client.sendall(sent)
                assert status in client.recv(100)
            except ConnectionError:
                pass  # it does not read on what it has refused
        assert httpx.get(it.url).status_code == 200
        assert len(it.requests) == 1
