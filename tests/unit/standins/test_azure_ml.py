"""A stand-in with the manners of an Azure ML online endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import httpx
import pytest

from peeklock import PeeklockError
from peeklock.standins.http import HttpStandIn

ROUTES = [
    {"post": "/score", "when": {"deployment": "green"}, "respond": {"json": {"by": "${request.deployment}"}}},
    {"post": "/score", "when": {"body": {"crash": True}}, "respond": {"status": 500, "text": "boom"}},
    {
        "post": "/score",
        "when": {"body": {"busy": True}},
        "respond": {"status": 503, "headers": {"ms-azureml-model-error-reason": "warming up"}},
    },
    {"post": "/score", "when": {"body": {"slow": True}}, "respond": {"delay": "1h"}},
    {"post": "/score", "respond": {"json": {"by": "blue"}}},
]


@pytest.fixture
def endpoint() -> Iterator[HttpStandIn]:
    with HttpStandIn(ROUTES, kind="azure_ml", deployments=["blue", "green"], request_timeout="200ms") as it:
        yield it


def score(it: HttpStandIn, body: Any = None, key: str | None = None, **headers: str) -> httpx.Response:
    headers = {
        "authorization": f"Bearer {key or it.key}",
        **{name.replace("_", "-"): each for name, each in headers.items()},
    }
    return httpx.post(f"{it.url}/score", json=body or {}, headers=headers)


def test_a_deployment_answers_by_header_or_the_first_does(endpoint: HttpStandIn) -> None:
    blue, green = score(endpoint), score(endpoint, azureml_model_deployment="green")
    assert [each.json()["by"] for each in (blue, green)] == ["blue", "green"]
    assert [each.headers["azureml-model-deployment"] for each in (blue, green)] == ["blue", "green"]
    assert [each["deployment"] for each in endpoint.requests] == ["blue", "green"]


def test_whoever_has_no_key_is_refused(endpoint: HttpStandIn) -> None:
    """The key is nowhere in the journal."""
    assert httpx.post(f"{endpoint.url}/score", json={}).status_code == 401
    assert score(endpoint, key="wrong").status_code == 401
    assert score(endpoint).status_code == 200
    assert [each.get("error") for each in endpoint.requests] == ["Unauthorized", "Unauthorized", None]
    assert endpoint.key not in str(endpoint.requests)


def test_an_unknown_deployment_is_404_and_no_problem_of_the_scenario(endpoint: HttpStandIn) -> None:
    assert score(endpoint, azureml_model_deployment="red").status_code == 404


def test_what_the_model_answers_but_200_is_424(endpoint: HttpStandIn) -> None:
    crashed, busy = score(endpoint, {"crash": True}), score(endpoint, {"busy": True})
    assert (crashed.status_code, crashed.text) == (424, "boom")
    told = [
        (each.headers["ms-azureml-model-error-statuscode"], each.headers["ms-azureml-model-error-reason"])
        for each in (crashed, busy)
    ]
    assert told == [("500", "Internal Server Error"), ("503", "warming up")]
    assert endpoint.requests[0]["model_status"] == 500


def test_a_model_that_is_slower_than_the_time_out_is_408(endpoint: HttpStandIn) -> None:
    assert score(endpoint, {"slow": True}).status_code == 408


def test_more_than_the_instances_can_take_is_429() -> None:
    """One at work and one that waits; the others are refused at once."""
    it = HttpStandIn(ROUTES, kind="azure_ml", request_timeout="60s")
    with ThreadPoolExecutor(4) as pool:
        asked = as_completed([pool.submit(score, it, {"slow": True}) for _ in range(4)])
        assert [next(asked).result().status_code for _ in range(2)] == [429, 429]
        it.close()
    assert [each.get("error") or each["hung_up"] for each in it.requests] == ["TooManyRequests"] * 2 + [True] * 2


def test_a_path_that_the_model_has_not_is_a_problem() -> None:
    it = HttpStandIn(ROUTES, kind="azure_ml")
    assert httpx.post(f"{it.url}/", headers={"authorization": f"Bearer {it.key}"}).status_code == 404
    it.close()
    with pytest.raises(PeeklockError, match="the path is /, not /score"):
        it.check()


def test_its_settings_go_with_its_kind() -> None:
    with pytest.raises(PeeklockError, match="deployments goes with kind: azure_ml"):
        HttpStandIn(ROUTES[-1:], deployments=["blue"])
