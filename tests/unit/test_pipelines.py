"""The example workflows can be read, and their commands are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from peeklock.cli.app import app_for
from peeklock.engine.shard import parse_shard

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "ci"
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def steps(name: str) -> list[dict[str, Any]]:
    document = YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = (document.get("jobs") or {"": document})[next(iter(document.get("jobs") or [""]))][
        "steps"
    ]
    return found


@pytest.mark.parametrize(("name", "key"), [("github-actions.yml", "run"), ("azure-pipelines.yml", "script")])
def test_an_example_calls_what_there_is(name: str, key: str) -> None:
    commands = [step[key] for step in steps(name) if key in step]
    made = {target for command in commands for target in command.split()[1:] if command.startswith("make ")}
    assert made == {"setup", "docker", "images"}
    assert made <= TARGETS
    (run,) = [command for command in commands if "peeklock run" in command]
    options = {
        option for param in typer.main.get_command(app_for(["run"])).commands["run"].params for option in param.opts
    }
    assert set(re.findall(r"(?<!\S)--?[a-z]\S*", run)) <= options


@pytest.mark.parametrize(("file", "key"), [("action.yml", "run"), ("docs/ci/azure-steps.yml", "script")])
def test_what_others_use_calls_what_there_is(file: str, key: str) -> None:
    """The action and the template: their options exist, and no input is pasted into a script, where it could be code."""
    document = YAML(typ="safe", pure=True).load((ROOT / file).read_text(encoding="utf-8"))
    commands = [step[key] for step in document.get("runs", document)["steps"] if key in step]
    (run,) = [command for command in commands if command.startswith("peeklock run")]
    command = typer.main.get_command(app_for(["run"])).commands["run"]
    assert set(re.findall(r"(?<!\S)--?[a-z]\S*", run)) <= {option for param in command.params for option in param.opts}
    assert not any("${{" in command for command in commands)


def shard_jobs(name: str) -> dict[str, dict[str, Any]]:
    """The jobs of an example on several machines, by name."""
    jobs = YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text(encoding="utf-8"))["jobs"]
    return jobs if isinstance(jobs, dict) else {job["job"]: job for job in jobs}


@pytest.mark.parametrize(("name", "key"), [("github-shards.yml", "run"), ("azure-shards.yml", "script")])
def test_an_example_with_shards_calls_what_there_is(name: str, key: str) -> None:
    """On every machine run and archive, whatever came of it; then merge, also when a shard failed."""
    jobs = shard_jobs(name)
    called = []
    for step in [step for job in jobs.values() for step in job["steps"] if step.get(key, "").startswith("peeklock ")]:
        command = step[key].split()[1]
        options = {
            option
            for param in typer.main.get_command(app_for([command])).commands[command].params
            for option in param.opts
        }
        assert set(re.findall(r"(?<!\S)--?[a-z]\S*", step[key])) <= options
        called.append((command, step.get("if", step.get("condition", ""))))
    always = "always()" if key == "run" else "succeededOrFailed()"
    assert called == [("run", ""), ("report", always), ("merge", "")]
    report = jobs["report"]
    assert report.get("needs", report.get("dependsOn")) == "shard"
    assert report.get("if", report.get("condition")) in ("${{ !cancelled() }}", "succeededOrFailed()")


def test_the_shards_of_the_example_for_github_are_a_whole() -> None:
    shards = [parse_shard(text) for text in shard_jobs("github-shards.yml")["shard"]["strategy"]["matrix"]["shard"]]
    assert shards == [(index, len(shards)) for index in range(1, len(shards) + 1)]


def test_the_hook_for_pre_commit_calls_what_there_is() -> None:
    (hook,) = YAML(typ="safe", pure=True).load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"] == "peeklock check"


@pytest.mark.parametrize("name", ["github-actions.yml", "azure-pipelines.yml"])
def test_an_example_runs_both_backends_and_keeps_what_a_failure_left(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert re.search(
        r"backend: \[embedded, containers\]|backend: embedded\}\n +containers: \{backend: containers", text
    )
    assert ".peeklock" in text
    assert "requirements.lock" in text


def test_what_they_cache_by_is_there() -> None:
    for text in (path.read_text(encoding="utf-8") for path in EXAMPLES.glob("*.yml")):
        for name in re.findall(r"[\w/.-]+\.(?:lock|json)", text):
            assert name == "scenarios/durations.json" or (ROOT / name).exists(), name
