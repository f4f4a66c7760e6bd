"""`peeklock doctor`: what this machine has, what it lacks, and the command that gets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Run


def told(text: str) -> dict[str, dict[str, Any]]:
    return {f"{each['group']} {each['name']}": each for each in json.loads(text)["findings"]}


def test_a_machine_that_can_run_scenarios(peeklock: Run) -> None:
    """What is missing for one backend does not make the other unready; a proxy is told without its password."""
    done = peeklock(
        "doctor", "--json", DOCKER_HOST="unix:///there/is/none.sock", HTTP_PROXY="http://me:hunter22@proxy.corp:8080"
    )
    assert done.returncode == 0, done.stderr
    found = told(done.stdout)
    assert json.loads(done.stdout)["ready"] == {"embedded": True, "containers": False, "azure": False}
    assert found["embedded postgres"]["state"] == "ok"
    assert found["containers engine"]["state"] == "lacks"
    assert "/there/is/none.sock" in found["containers engine"]["text"]
    assert found["containers engine"]["fix"]
    assert "proxy.corp" in found["machine proxy"]["text"]
    assert "hunter22" not in done.stdout

    shown = peeklock("doctor", DOCKER_HOST="unix:///there/is/none.sock")
    assert "embedded: ready" in shown.stdout
    assert "containers: not ready" in shown.stdout
    assert "azure: not ready" in shown.stdout

    named = peeklock("doctor", "--json", PEEKLOCK_AZURE_POSTGRES="postgresql://me:hunter22@db/x")
    assert json.loads(named.stdout)["ready"]["azure"]
    assert "hunter22" not in named.stdout


def test_a_machine_that_can_run_none(peeklock: Run, tmp_path: Path) -> None:
    """A cache that cannot be made is told, with its place, and so is all the rest."""
    (tmp_path / "file").touch()
    done = peeklock("doctor", "--json", PEEKLOCK_CACHE=str(tmp_path / "file" / "cache"))
    assert done.returncode == 3, done.stderr
    found = told(done.stdout)
    assert found["machine cache"]["state"] == "lacks"
    assert str(tmp_path / "file" / "cache") in found["machine cache"]["text"]
    assert found["embedded postgres"]["state"] == found["machine loopback"]["state"] == "ok"


def test_what_is_not_made_yet_is_named_with_its_command(peeklock: Run, tmp_path: Path) -> None:
    """Nothing is fetched for it."""
    found = told(peeklock("doctor", "--json", PEEKLOCK_CACHE=str(tmp_path / "new")).stdout)
    assert (found["embedded azurite"]["state"], found["embedded azurite"]["fix"]) == ("note", "peeklock setup")
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
