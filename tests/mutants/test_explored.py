"""What `peeklock explore` finds by itself: known ways to break a system, from cases in which nothing goes wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.mutants import defectiq, intellioptics, opal, planted, sitefit
from tests.mutants.mutation import Mutation
from tests.mutants.project import apply, copy_project, peeklock

KNOWN = (intellioptics, sitefit, opal, defectiq)
MUTATIONS = {each.id: each for every in KNOWN for each in every.MUTATIONS}
PIPELINE = "scenarios/intellioptics/pipeline.yaml::happy_path"
GOLDEN, WHOLE_WAY = planted.GOLDEN, planted.WHOLE_WAY
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
EVERY = [(MUTATIONS[name], case) for name, case in FOUND.items()]
EVERY += [(each, each.case) for each in planted.MUTATIONS]
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize(("mutation", "case"), EVERY, ids=lambda each: getattr(each, "id", ""))
def test_a_mutant_is_found_and_written_down(mutation: Mutation, case: str, tmp_path: Path) -> None:
    """The written scenario fails on the mutant by itself, and passes on the sound system, three times each."""
    broken, sound = (copy_project(tmp_path / each) for each in ("broken", "sound"))
    apply(mutation, broken)
    explored = peeklock(broken, "explore", case, "-x")
    assert explored.returncode == 1, explored.stdout + explored.stderr
    (written,) = (broken / "scenarios").rglob("*_found_*.yaml")
    here = written.relative_to(broken)
    shutil.copy(written, sound / here)
    failed, passed = (_three_times(each, here) for each in (broken, sound))
    assert (failed.returncode, "3 failed, 0 passed" in failed.stdout) == (1, True), failed.stdout
    assert (passed.returncode, "0 failed, 3 passed" in passed.stdout) == (0, True), passed.stdout


def _three_times(project: Path, scenario: Path) -> subprocess.CompletedProcess[str]:
    return peeklock(project, "run", str(scenario), "--repeat", "3")
