"""Ways to break the systems that no case is written for: `peeklock explore` finds them from cases in which nothing goes wrong."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

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
)
