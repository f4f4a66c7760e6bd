"""HTTP stand-ins, through their public face."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from peeklock import PeeklockError
from peeklock.scenario.http_standins import path_pattern
from peeklock.standins.http import HttpStandIn


def answers(routes: list[dict[str, Any]], *paths: str, **options: Any) -> list[httpx.Response]:
    """Return what GETs of these paths are answered."""
    standin = HttpStandIn(routes, **options)
    try:
        return [httpx.get(standin.url + path) for path in paths]
    finally:
        standin.close()


def test_the_first_route_that_fits_answers() -> None:
    routes = [
        {"get": "/{id}", "when": {"query": {"a": "1"}}, "respond": {"text": "one"}},
        {"get": "/{id}", "respond": {}},
    ]
    assert [each.text for each in answers(routes, "/x?a=1", "/x?a=2", "/x")] == ["one", "", ""]


def test_a_parameter_is_a_part_of_the_path_and_a_star_all_the_rest() -> None:
    routes = [
        {"get": "/a/{id}.json", "respond": {"json": "${request.parameters.id}"}},
        {"get": "/a/{rest*}", "respond": {"json": "${request.parameters.rest}"}},
    ]
    found = answers(routes, "/a/b%20c.json", "/a/b/c.json", "/a/b%2Fc.json")
    assert [each.json() for each in found] == ["b c", "b/c.json", "b/c"]


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("/a", "/a", True),
        ("/{x}", "/a", True),
        ("/a", "/{x}", False),
        ("/{x}", "/{y}", True),
        ("/{x}", "/{y*}", False),
        ("/{x*}", "/{y*}", True),
        ("/{x}/b", "/a/{y}", False),
    ],
)
def test_a_path_that_covers_another_hides_it(one: str, other: str, covers: bool) -> None:
    assert path_pattern(one).covers(path_pattern(other)) is covers


def test_a_value_keeps_the_type_that_the_request_has() -> None:
    with HttpStandIn(
        [{"post": "/", "respond": {"json": {"n": "${request.body.n}", "t": "n=${request.body.n}"}}}]
    ) as it:
        assert httpx.post(it.url, json={"n": 7}).json() == {"n": 7, "t": "n=7"}


def test_a_form_is_matched_by_its_fields() -> None:
    with HttpStandIn([{"post": "/", "when": {"body": {"grant": "x"}}, "respond": {"status": 204}}]) as it:
        assert httpx.post(it.url, data={"grant": "x", "client_secret": "s3cret"}).status_code == 204
        assert it.requests[0]["body"] == {"grant": "x", "client_secret": "***"}


def test_bytes_are_told_by_size_and_digest() -> None:
    with HttpStandIn([{"put": "/{name}", "respond": {"status": 201}}]) as it:
        httpx.put(f"{it.url}/a.png", content=b"\xff\xd8", headers={"content-type": "image/png"})
        assert {"size": 2, "status": 201}.items() <= it.requests[0].items()
        assert "body" not in it.requests[0]


def test_no_key_and_no_token_is_in_the_journal() -> None:
    """They are matched all the same."""
    routes = [{"get": "/", "when": {"headers": {"x-api-key": "right"}, "query": {"sig": "abc"}}, "respond": {}}]
    with HttpStandIn(routes) as it:
        headers = {"x-api-key": "right", "authorization": "Bearer secret", "idempotency-key": "7"}
        query = {"sig": "abc", "code": "DE"}
        assert httpx.get(it.url, params=query, headers=headers).status_code == 200
        (seen,) = it.requests
    assert seen["query"] == {"sig": "***", "code": "DE"}
    assert [seen["headers"][name] for name in headers] == ["***", "Bearer ***", "7"]


def test_what_kept_a_secret_from_matching_is_not_told() -> None:
    it = HttpStandIn([{"get": "/", "when": {"headers": {"api-key": "right"}}, "respond": {}}])
    httpx.get(it.url, headers={"api-key": "wrong"})
    it.close()
    with pytest.raises(PeeklockError, match="api-key is not as it asks") as caught:
        it.check()
    assert "right" not in str(caught.value)
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "why"),
    [
        ("GET", "/score", r"routes\[0\] .POST /score.: the method is GET, not POST"),
        ("POST", "/scroe", r"routes\[0\] .POST /score.: the path is /scroe, not /score"),
        ("POST", "/jobs/7", r"routes\[1\] .POST /jobs/.id..: the state is started, not open"),
        ("POST", "/job", r"routes\[1\]"),
    ],
)
def test_the_nearest_route_is_told(method: str, path: str, why: str) -> None:
    routes = [
        {"post": "/score", "respond": {}},
        {"post": "/jobs/{id}", "state": {"is": "open"}, "respond": {}},
        {"put": "/open", "state": {"becomes": "open"}, "respond": {}},
    ]
    with pytest.raises(PeeklockError, match=why), HttpStandIn(routes) as it:
        assert httpx.request(method, it.url + path).status_code == 404


def test_a_sequence_that_is_used_up_leaves_the_next_route() -> None:
    routes: list[dict[str, Any]] = [
        {"get": "/", "sequence": [{"status": 503}, {"text": "a"}]},
        {"get": "/", "respond": {"text": "b"}},
    ]
    it = HttpStandIn(routes)
    assert [httpx.get(it.url).text for _ in range(3)] == ["", "a", "b"]
    it.reset()
    assert httpx.get(it.url).status_code == 503
    assert len(it.requests) == 1
    it.close()


def test_requests_move_a_state() -> None:
    routes = [
        {"get": "/", "state": {"is": "paid"}, "respond": {"text": "thanks"}},
        {"post": "/", "state": {"is": "started", "becomes": "paid"}, "respond": {"status": 202}},
        {"get": "/", "respond": {"status": 402}},
    ]
    with HttpStandIn(routes) as it:
        assert [httpx.get(it.url).status_code, httpx.post(it.url).status_code] == [402, 202]
        assert httpx.get(it.url).text == "thanks"
        assert [each["state"] for each in it.requests] == ["started", "paid", "paid"]


def test_a_client_that_does_not_wait_is_in_the_journal() -> None:
    """With its route, and without a status: it has seen none."""
    it = HttpStandIn([{"get": "/", "respond": {"delay": "1h"}}])
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(it.url, timeout=0.1)
    it.close()
    (seen,) = it.requests
    assert {"hung_up": True, "route": 0}.items() <= seen.items()
    assert "status" not in seen


def test_a_delayed_answer_comes() -> None:
    assert answers([{"get": "/", "respond": {"delay": "1ms", "text": "late"}}], "/")[0].text == "late"


def test_a_file_goes_out_with_its_content_type(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "a.txt").write_text("for ${who}: ${request.query.n}", encoding="utf-8")
    routes = [{"get": "/a", "respond": {"file": "a.png"}}, {"get": "/b", "respond": {"template": "a.txt"}}]
    picture, text = answers(routes, "/a", "/b?n=1", folder=tmp_path, names={"who": "you"})
    assert (picture.content, picture.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert (text.text, text.headers["content-type"]) == ("for you: 1", "text/plain; charset=utf-8")


def test_a_function_answers_a_value_or_a_whole_answer(tmp_path: Path) -> None:
    code = "def value(request):\n    return {'status': 'fine'}\ndef whole(request):\n    return {'status': 418, 'text': 'tea'}\n"
    (tmp_path / "said.py").write_text(code, encoding="utf-8")
    routes = [{"get": f"/{name}", "respond": {"python": f"said:{name}"}} for name in ("value", "whole")]
    value, whole = answers(routes, "/value", "/whole", folder=tmp_path)
    assert (value.status_code, value.json()) == (200, {"status": "fine"})
    assert (whole.status_code, whole.text) == (418, "tea")


def test_an_answer_that_cannot_be_made_is_a_problem() -> None:
    with (
        pytest.raises(PeeklockError, match=r'routes\[0\].*has no "n"'),
        HttpStandIn([{"get": "/", "respond": {"text": "${request.query.n}"}}]) as it,
    ):
        assert httpx.get(it.url).status_code == 500


def test_it_is_called_by_its_host_and_by_no_other() -> None:
    """A web page whose name leads to this machine is refused."""
    with HttpStandIn([{"get": "/", "respond": {}}], host="api.example.com") as it:
        found = [
            httpx.get(it.url, headers={"host": host}).status_code for host in ("api.example.com", "evil.example.com")
        ]
        assert found[0] == 200
        assert found[1] >= 400
        assert len(it.requests) == 1


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ([{"get": "/a", "respond": {}}, {"get": "/a", "respond": {}}], r"routes\[1\] .GET /a. is never reached"),
        ([{"get": "/a", "respond": {"staus": 1}}], 'unknown key "staus"'),
        ([{"get": "/a", "when": {"bdoy": 1}, "respond": {}}], 'a request has no "bdoy"'),
    ],
)
def test_routes_that_are_wrong_are_refused(routes: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(PeeklockError, match=told):
        HttpStandIn(routes)


def test_routes_that_lack_as_little_are_told_together() -> None:
    """Which of them the request was meant for, only its sender knows."""
    routes = [
        {"post": "/pay", "when": {"body": {"amount": "666"}}, "respond": {"status": 402}},
        {"post": "/pay", "when": {"headers": {"idempotency-key": "$string"}}, "respond": {}},
        {"get": "/pay", "respond": {}},
    ]
    it = HttpStandIn(routes)
    httpx.post(f"{it.url}/pay", json={"amount": "100"})
    it.close()
    with pytest.raises(PeeklockError) as told:
        it.check()
    assert "routes[0]" in told.value.problem
    assert "; or routes[1] (POST /pay): headers.idempotency-key is" in told.value.problem
    assert "routes[2]" not in told.value.problem


def test_what_it_cannot_do_alone_is_refused() -> None:
    with pytest.raises(PeeklockError, match="does not speak TLS"):
        HttpStandIn([{"get": "/", "respond": {}}], tls=True)
