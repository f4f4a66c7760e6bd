"""A suite is worth what it catches: each known way to break a system fails at the right step, with its cause."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import pytest
from playwright.sync_api import Browser

from tests.acceptance.browser import browser
from tests.mutants import defectiq, first_screen, intellioptics, opal, sitefit
from tests.mutants.mutation import Mutation
from tests.mutants.project import CauseNotToldError, MutantDoesNotApplyError, Outcome, apply, copy_project, run

SYSTEMS = {
    "intellioptics": intellioptics.MUTATIONS,
    "sitefit": sitefit.MUTATIONS,
    "defectiq": defectiq.MUTATIONS,
    "opal": opal.MUTATIONS,
}
MUTATIONS = tuple(mutation for mutations in SYSTEMS.values() for mutation in mutations)
pytestmark = pytest.mark.timeout(320)  # several wait for each other, and a busy machine is no fault of theirs
AT_ONCE = 3
"""A run waits for services that start for most of its time; more at once than this gain nothing on two cores."""

Run = Callable[[Mutation | str], Outcome]


@pytest.fixture(scope="session")
def mutants(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a mutation's case in a copy of its own, or by a system's name its unbroken control; those selected run side by side."""

    folder = tmp_path_factory.mktemp("mutants")

    @cache
    def do(what: Mutation | str) -> Outcome:
        if isinstance(what, str):
            return run(copy_project(folder / what), sorted({each.case for each in SYSTEMS[what]}))
        project = copy_project(folder / what.id)
        apply(what, project)
        return run(project, [what.case])

    if "PYTEST_XDIST_WORKER" in os.environ:
        yield do
        return
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    chosen = [each[name] for name in ("system", "mutation") for each in params if name in each]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="mutant") as pool:
        started: dict[Mutation | str, Future[Outcome]] = {what: pool.submit(do, what) for what in dict.fromkeys(chosen)}
        try:
            yield lambda what: started[what].result()
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_unbroken_copy_passes(system: str, mutants: Run) -> None:
    """Whatever a mutant fails of is its mutation's doing: the same cases pass in an unchanged copy."""
    outcome = mutants(system)
    assert outcome.code == 0, outcome.output


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.id)
def test_a_mutant_is_caught(mutation: Mutation, mutants: Run) -> None:
    """Exit code 1; the case fails at the step that watches over what was broken, and names the cause."""
    outcome = mutants(mutation)
    assert outcome.code == 1, outcome.output
    failures = [text for name, text in outcome.failures().items() if name.startswith(mutation.case)]
    assert failures, outcome.output
    assert f'step "{mutation.step}"' in failures[0], outcome.output
    assert "sig=" not in outcome.output.replace("sig=***", "")
    if missing := [text for text in mutation.told if text not in failures[0]]:
        raise CauseNotToldError(f"not told: {missing}\n{outcome.output}")


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.mark.parametrize(
    "mutation", [each for each in MUTATIONS if each.id in first_screen.TELLS], ids=lambda mutation: mutation.id
)
def test_the_first_screen_of_the_report_tells_the_cause(mutation: Mutation, mutants: Run, opened: Browser) -> None:
    """Without a click, a scroll or anything beside it."""
    seen = first_screen.first_screen(opened, mutants(mutation).report)
    missing = [text for text in first_screen.TELLS[mutation.id] if text not in seen]
    assert not missing, seen


def test_a_mutation_that_no_longer_applies_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A mutation whose text is gone would pass for one that is caught; it fails loudly instead."""
    project = copy_project(tmp_path_factory.mktemp("moved_on"))
    moved = Mutation("moved_on", "pyproject.toml", "text that is nowhere", "", "", "", ())
    with pytest.raises(MutantDoesNotApplyError, match="the mutant no longer applies: moved_on"):
        apply(moved, project)
