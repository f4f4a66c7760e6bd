"""What `peeklock explore` finds by itself: known ways to break a system, from cases in which nothing goes wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mutants import intellioptics, opal, sitefit
from tests.mutants.project import apply, copy_project, peeklock

MUTATIONS = {each.id: each for every in (intellioptics, sitefit, opal) for each in every.MUTATIONS}
PIPELINE = "scenarios/intellioptics/pipeline.yaml::happy_path"
GOLDEN = "scenarios/sitefit/jobs.yaml::golden"
WHOLE_WAY = "scenarios/opal/pipeline.yaml::the_whole_way"
FOUND = {
    "worker_gives_its_result_a_new_id_each_time": PIPELINE,
    "worker_has_its_effect_at_each_delivery": PIPELINE,
    "worker_takes_a_503_for_a_refusal": PIPELINE,
    "worker_completes_what_it_could_not_do": PIPELINE,
    "worker_renews_too_late": PIPELINE,
    "sitefit_completes_before_the_commit": GOLDEN,
    "sitefit_sets_the_status_after_it_completes": GOLDEN,
    "opal_does_not_send_the_export_that_a_crash_has_left": WHOLE_WAY,
}
"""By the mutation, the case that passes though it is there."""
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("name", FOUND)
def test_a_mutant_is_found_and_written_down(name: str, tmp_path: Path) -> None:
    """The written scenario fails on the mutant by itself, and passes on the sound system, three times each."""
    broken, sound = (copy_project(tmp_path / each) for each in ("broken", "sound"))
    apply(MUTATIONS[name], broken)
    explored = peeklock(broken, "explore", FOUND[name], "-x")
    assert explored.returncode == 1, explored.stdout + explored.stderr
    (written,) = (broken / "scenarios").rglob("*_found_*.yaml")
    here = written.relative_to(broken)
    shutil.copy(written, sound / here)
    failed, passed = (_three_times(each, here) for each in (broken, sound))
    assert (failed.returncode, "3 failed, 0 passed" in failed.stdout) == (1, True), failed.stdout
    assert (passed.returncode, "0 failed, 3 passed" in passed.stdout) == (0, True), passed.stdout


def _three_times(project: Path, scenario: Path) -> subprocess.CompletedProcess[str]:
    return peeklock(project, "run", str(scenario), "--repeat", "3")
