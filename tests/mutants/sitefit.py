"""The known ways to break Sitefit, and what must be said about each."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

SAME_INPUTS = "scenarios/sitefit/jobs.yaml::same_inputs"
CORRELATED = "scenarios/sitefit/jobs.yaml::one_correlation_id"
COMPLETED = "scenarios/sitefit/crashes.yaml::worker_crashes[when_the_message_is_completed]"
RENEWED = "scenarios/sitefit/locks.yaml::renewed"
WRONG_OUTPUTS = "scenarios/sitefit/appserver.yaml::outputs_outside_the_contract[a_score_above_100]"
NOTHING = "scenarios/sitefit/alerts.yaml::nothing_wakes_them_for_nothing"

_LATER = '__import__("asyncio").get_running_loop().call_later(0.5, lambda: __import__("asyncio").ensure_future({}))'

MUTATIONS = (
    Mutation(
        "sitefit_completes_before_the_commit",
        "services/sitefit/worker/handler.py",
        "        if await self.progress.succeed(job_id, text, score, artifacts):\n",
        f"        {_LATER.format('self.progress.succeed(job_id, text, score, artifacts)')}\n        if True:\n",
        COMPLETED,
        "the job has its result",
        ("status", "expected 200", "actual   202", "crashed at completed"),
    ),
    Mutation(
        "sitefit_sets_the_status_after_it_completes",
        "services/sitefit/worker/job_progress.py",
        """            cursor = await connection.execute(
                "UPDATE job SET status = 'succeeded', ended_at = now() WHERE id = %s AND status = 'running'", (job_id,)
            )
""",
        "            done = \"UPDATE job SET status = 'succeeded', ended_at = now() WHERE id = %s\"\n"
        f"            {_LATER.format('self._execute(done, (job_id,))')}\n"
        '            cursor = await connection.execute("SELECT id FROM job WHERE id = %s", (job_id,))\n',
        COMPLETED,
        "the job has its result",
        ("status", "expected 200", "actual   202", "crashed at completed"),
    ),
    Mutation(
        "sitefit_does_not_renew",
        "services/shared/lock.py",
        "max(pause, 0.05)",
        "max(pause * 1000, 0.05)",
        RENEWED,
        "one delivery, which was kept for more than two locks",
        ("deliveries   expected 1", "lock_expired"),
    ),
    Mutation(
        "sitefit_hashes_inputs_as_they_come",
        "services/sitefit/api/inputs_hash.py",
        "rfc8785.dumps(inputs)",
        '__import__("json").dumps(inputs).encode()',
        SAME_INPUTS,
        "the same with its keys in another order, and 20.0 for 20",
        ("json.job_id",),
    ),
    Mutation(
        "sitefit_drops_the_correlation_id",
        "services/sitefit/worker/app_server.py",
        "headers={HEADER: correlation_id} if correlation_id else None",
        "headers=None",
        CORRELATED,
        "the solver has it, too",
        ("count   expected 1", "actual   0"),
    ),
    Mutation(
        "sitefit_stores_what_breaks_the_contract",
        "services/sitefit/worker/handler.py",
        "return self.contracts.get(definition, version).outputs.check(json.loads(text))",
        "return json.loads(text)",
        WRONG_OUTPUTS,
        "it fails, with the field that is wrong",
        ("json.status", '"failed"', '"succeeded"', "fault status on appserver"),
    ),
    Mutation(
        "sitefit_drops_the_trace_where_nothing_is_sent_on",
        "services/shared/instrumentation.py",
        "self._propagator.extract(carried)",
        "None",
        NOTHING,
        "at the end of the case",
        ("trace_unbroken", "was worked on by worker in a trace of its own"),
    ),
)
