"""Ways to break the systems that no case is written for: `peeklock explore` finds them from cases in which nothing goes wrong."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

PIPELINE = "scenarios/intellioptics/pipeline.yaml::happy_path"
GOLDEN = "scenarios/sitefit/jobs.yaml::golden"
WHOLE_WAY = "scenarios/opal/pipeline.yaml::the_whole_way"


def _planted(name: str, file: str, old: str, new: str, case: str) -> Mutation:
    """Return one that `case` passes with."""
    return Mutation(name, file, old, new, case, "", ())


MUTATIONS = (
    _planted(
        "sitefit_takes_a_503_for_no",
        "services/sitefit/worker/app_server.py",
        "answer.status_code in (404, 422)",
        "answer.status_code in (404, 422, 503)",
        GOLDEN,
    ),
    _planted(
        "sitefit_takes_a_lost_answer_for_no",
        "services/sitefit/worker/app_server.py",
        'raise TransientFailure(f"the AppServer cannot be reached',
        'raise JobImpossibleError(f"the AppServer cannot be reached',
        GOLDEN,
    ),
    _planted(
        "opal_takes_a_503_of_billing_for_no",
        "services/opal/export/billing.py",
        "in (409, 422)",
        "in (409, 422, 503)",
        WHOLE_WAY,
    ),
    _planted(
        "opal_exports_before_it_bills",
        "services/opal/export/handler.py",
        """        await self.billing.record(key, len(made))
        log.info("usage recorded", **key.facts)
        if await self.progress.exported(key, variants):
""",
        """        is_first = await self.progress.exported(key, variants)
        await self.billing.record(key, len(made))
        log.info("usage recorded", **key.facts)
        if is_first:
""",
        WHOLE_WAY,
    ),
    _planted(
        "worker_takes_an_api_that_is_away_for_no",
        "services/intellioptics/worker/detector_directory.py",
        'raise TransientFailure(f"the API does not answer ',
        'raise DetectorNotFoundError(f"the API does not answer ',
        PIPELINE,
    ),
)

NEEDING_TWO = (
    _planted(
        "sitefit_gives_up_after_two_attempts",
        "services/sitefit/worker/settings.py",
        "max_attempts: int = Field(5, ge=1",
        "max_attempts: int = Field(2, ge=1",
        GOLDEN,
    ),
    _planted(
        "opal_gives_up_after_two_attempts",
        "services/opal/settings.py",
        "max_attempts: int = Field(5, ge=1",
        "max_attempts: int = Field(2, ge=1",
        WHOLE_WAY,
    ),
)
"""One thing that goes wrong is borne."""
