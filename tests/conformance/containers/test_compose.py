"""compose/docker-compose.yml, up for true: an image goes in at the API, and the worker's answer comes out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from peeklock.stack.containers.images import KINDS, Kind

ROOT = Path(__file__).parents[3]
TOKEN = {"authorization": "Bearer local-only"}
PORTS = {"POSTGRES_PORT": "0", "BLOB_PORT": "0", "SERVICEBUS_PORT": "0", "API_PORT": "0"}


def command() -> list[str] | None:
    """How this machine runs compose: the plugin, else the program that came before it."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(words[0])
            and subprocess.run([*words, "version"], capture_output=True, check=False).returncode == 0
        ):
            return words
    return None


class Compose:
    """One project of the compose file."""

    def __init__(self, words: list[str], name: str) -> None:
        self.name = name
        self._words = [*words, "-p", name, "-f", str(ROOT / "compose" / "docker-compose.yml")]

    def __call__(self, *arguments: str) -> str:
        said = subprocess.run(
            [*self._words, *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
            env={**os.environ, **PORTS},
        )
        assert said.returncode == 0, said.stderr
        return said.stdout.strip()


@pytest.fixture
def compose(engine: Any, image: Callable[[Kind], str]) -> Iterator[Compose]:
    words = command()
    if words is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is here")
    for kind in KINDS:
        engine.tag(image(kind), f"peeklock/{kind}", "latest")
    project = Compose(words, f"peeklocktest{os.urandom(4).hex()}")
    yield project
    project("down", "--volumes", "--timeout", "5")
    left = engine.containers(all=True, filters={"label": f"com.docker.compose.project={project.name}"})
    assert left == []


@pytest.mark.slow
def test_the_whole_stack_comes_up_and_answers(compose: Compose) -> None:
    compose("up", "-d")
    address = compose("port", "api", "8000")
    assert address.startswith("127.0.0.1:")
    with httpx.Client(base_url=f"http://{address}", headers=TOKEN, timeout=60) as api:
        assert httpx.get(f"http://{address}/v1/detectors").status_code == 401
        made = api.post("/v1/detectors", json={"name": "people", "query": "Is there a person?"})
        assert made.status_code == 201, made.text
        photo = (ROOT / "fixtures" / "images" / "person.jpg").read_bytes()
        answer = api.post(
            "/v1/image-queries", params={"detector_id": made.json()["id"], "wait": "true"},
            files={"image": ("person.jpg", photo, "image/jpeg")},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert (answer.json()["status"], answer.json()["answer"]) == ("DONE", "YES")
    host, _, port = compose("port", "postgres", "5432").partition(":")
    with psycopg.connect(host=host, port=port, user="app", password="local-only", dbname="app") as session:
        assert session.execute("SELECT count(*) FROM detectors").fetchone() == (1,)
