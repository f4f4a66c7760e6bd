"""A suite on three machines, and what they found put together: the same as on one."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.browser import page_at, serious_faults, shows
from tests.acceptance.conftest import PEEKLOCK, environment

FILES = {"orders": 4, "invoices": 1, "refunds": 2, "stock": 2, "mail": 1}
"""Files with the number of their cases."""
WRONG = ("refunds", 1)
"""The case that fails."""
CASE = '  case_{number}: {{steps: [{{db: "SELECT {number} AS n", expect: {{first: {{n: {wanted}}}}}}}]}}\n'

Peeklock = Callable[..., subprocess.CompletedProcess[str]]


def run(cwd: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PEEKLOCK, *arguments], cwd=cwd, env=environment() | env, capture_output=True, text=True, timeout=100
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with five files, of which one has a case that fails and one a case that cannot run here."""
    root = tmp_path_factory.mktemp("shards") / "project"
    (root / "scenarios").mkdir(parents=True)
    for name, count in FILES.items():
        text = f"scenario: {name}\nstack: {{postgres: {{}}}}\ncases:\n"
        text += "".join(CASE.format(number=n, wanted=9 if (name, n) == WRONG else n) for n in range(count))
        (root / "scenarios" / f"{name}.yaml").write_text(text)
    with (root / "scenarios" / "mail.yaml").open("a") as file:
        file.write("  in_containers: {requires: [docker], steps: [{settle: }]}\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all of it"]):
        subprocess.run([*git, *command], cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture(scope="module")
def machines(project: Path) -> Path:
    """A folder with an archive of each of three shards, as a pipeline has them: each was run in a copy of the project."""
    kept = project.parent / "kept"
    for index in (1, 2, 3):
        machine = Path(shutil.copytree(project, project.parent / f"machine-{index}"))
        done = run(machine, "run", "--shard", f"{index}/3")
        assert done.returncode in (0, 1), done.stdout + done.stderr
        assert f"shard {index} of 3: " in done.stdout.splitlines()[1]
        archived = run(machine, "report", "--archive", str(kept / f"machine-{index}" / "shard.zip"))
        assert archived.returncode == 0, archived.stderr
    return kept


@pytest.fixture(scope="module")
def alone(project: Path) -> Path:
    """A copy in which one machine has run all."""
    root = Path(shutil.copytree(project, project.parent / "alone"))
    done = run(root, "run", "--junit", "all.xml", "--ctrf", "all.json", "--summary", "all.md")
    assert done.returncode == 1, done.stdout + done.stderr
    return root


@pytest.fixture
def merging(project: Path, tmp_path: Path) -> Path:
    """Where shards are merged: a checkout that has run nothing."""
    return Path(shutil.copytree(project, tmp_path / "merging"))


def outcomes(junit: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """How each case ended, with the message of its failure."""
    found = {}
    for case in ET.parse(junit).getroot().iter("testcase"):
        told = next(iter(case), None)
        found[case.get("classname") or "", case.get("name") or ""] = (
            ("passed", "") if told is None else (told.tag, told.get("message") or "")
        )
    return found


def judged_in(ctrf: Path) -> dict[str, tuple[str, Any]]:
    results = json.loads(ctrf.read_text())["results"]
    return {f"{each['filePath']}::{each['name']}": (each["status"], each.get("message")) for each in results["tests"]}


def test_three_shards_come_to_what_one_machine_does(machines: Path, alone: Path, merging: Path) -> None:
    """The same cases with the same outcomes and failures, in each report; exit code 1, for one failed."""
    done = run(merging, "merge", str(machines), "--junit", "all.xml", "--ctrf", "all.json", "--summary", "all.md")
    assert done.returncode == 1, done.stdout + done.stderr
    assert outcomes(merging / "all.xml") == outcomes(alone / "all.xml")
    assert len(outcomes(alone / "all.xml")) == sum(FILES.values()) + 1
    assert judged_in(merging / "all.json") == judged_in(alone / "all.json")
    assert "9 passed, 1 failed, 1 skipped" in (alone / "all.md").read_text()
    assert "9 passed, 1 failed, 1 skipped" in (merging / "all.md").read_text()
    assert "first.n: expected 9, actual 1" in (merging / "all.md").read_text()
    assert "FAILED scenarios/refunds.yaml::case_1" in done.stdout
    assert "merged from 3 of 3 shards" in done.stdout


def test_what_was_merged_is_a_run_like_any_other(machines: Path, merging: Path) -> None:
    """It is shown, archived and taken up by `--last-failed`, and its durations split the next run."""
    assert run(merging, "merge", str(machines), "--durations", "scenarios/durations.json").returncode == 1
    shown = run(merging, "show", "refunds.yaml::case_1")
    assert "expected 9" in shown.stdout, shown.stderr
    again = run(merging, "run", "--last-failed")
    assert "1 cases in 1 file" in again.stdout
    archived = run(merging, "report", "1", "--archive", "whole.zip")
    assert archived.returncode == 0, archived.stderr
    assert len(json.loads((merging / "scenarios" / "durations.json").read_text())) == sum(FILES.values())
    split = run(merging, "run", "--shard", "2/2", "--durations", "scenarios/durations.json")
    assert "split by durations of scenarios/durations.json (10 of 11 cases are in it)" in split.stdout


def test_a_shard_that_is_missing_is_an_error_in_each_report(machines: Path, merging: Path) -> None:
    """The two that are there passed: exit code 3, and no report that looks green."""
    there = [str(path) for path in sorted(machines.rglob("*.zip")) if not _failed(path, merging)]
    assert len(there) == 2
    done = run(merging, "merge", *there, "--junit", "part.xml", "--summary", "part.md")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "is missing: 3 cases of 2 files not judged" in done.stdout
    lost = [key for key, (outcome, _) in outcomes(merging / "part.xml").items() if outcome == "error"]
    assert [file for file, _ in lost] == ["peeklock merge"]
    assert "1 errors" in (merging / "part.md").read_text()


def _failed(archive: Path, cwd: Path) -> bool:
    return run(cwd, "merge", str(archive)).returncode == 1


def test_shards_of_another_commit_are_told(machines: Path, project: Path, merging: Path, tmp_path: Path) -> None:
    """Three of three, and yet not one run."""
    other = Path(shutil.copytree(project, tmp_path / "other"))
    git = [
        "git",
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "b",
    ]
    subprocess.run(git, cwd=other, check=True, capture_output=True)
    run(other, "run", "--shard", "1/3")
    assert run(other, "report", "--archive", "one.zip").returncode == 0
    places = [str(other / "one.zip"), *(str(machines / f"machine-{index}") for index in (2, 3))]
    done = run(merging, "merge", *places)
    assert done.returncode in (1, 3)
    assert "the shards ran different commits: 1/3 at " in done.stdout


def test_more_shards_than_files_leave_some_with_nothing_which_is_no_failure(project: Path, tmp_path: Path) -> None:
    """It says so, starts no stack, and leaves a record, so that nobody misses it."""
    machine = Path(shutil.copytree(project, tmp_path / "machine"))
    done = run(machine, "run", "--shard", "7/7", "--junit", "none.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shard 7 of 7: nothing is left for it, 5 shards are enough for 5 files" in done.stdout
    assert "stack ready" not in done.stdout
    assert outcomes(machine / "none.xml") == {}
    assert run(machine, "report", "--archive", "none.zip").returncode == 0
    nothing = run(machine, "run", "--shard", "1/7", "-k", "nothing_of_that_name")
    assert (nothing.returncode, nothing.stderr) == (1, "no case matches\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shard", "0/4"], "expected NUMBER/COUNT, from 1/4 to 4/4"),
        (["--shard", "5/4"], "actual '5/4'"),
        (["--shard", "1/2", "--last-failed"], "--last-failed goes without --shard"),
        (["--shard", "1/2", "--durations", "none.json"], "where: none.json"),
        (["--durations", "none.json"], "say which of them this is, as --shard 1/4"),
    ],
)
def test_what_makes_no_shard_is_refused_before_anything_starts(project: Path, arguments: list[str], told: str) -> None:
    done = run(project, "run", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not (project / ".peeklock").exists()


def test_the_page_of_all_shards_has_every_case_and_what_is_missing(
    machines: Path, merging: Path, opened: Browser
) -> None:
    """In one list, each with its story."""
    run(merging, "merge", str(machines))
    with page_at(opened, merging / ".peeklock" / "run-1" / "report.html") as page:
        expect(page.locator(".rows li")).to_have_count(sum(FILES.values()) + 1)
        shows(page, "3 of 3 shards", inside=".facts")
        expect(page.locator(".problems")).to_have_count(0)
        page.keyboard.press("Enter")
        shows(page, "first.n: expected 9, actual 1", inside=".cause")
        shows(page, "SELECT 1 AS n", inside=".steps")
    run(merging, "merge", str(machines / "machine-1"), str(machines / "machine-3"))
    with page_at(opened, merging / ".peeklock" / "run-2" / "report.html") as page:
        shows(page, "2 of 3 shards", inside=".facts")
        shows(page, "shard 2 of 3 is missing: 4 cases of 2 files not judged", inside=".problems")
        assert serious_faults(page) == []
