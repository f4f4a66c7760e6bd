"""The known ways to break OPAL, and what must be said about each."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

WHOLE_WAY = "scenarios/opal/pipeline.yaml::the_whole_way"
ONE_CONSUMER = "scenarios/opal/pipeline.yaml::one_kind_of_consumer"
ANOTHERS = "scenarios/opal/tenants.yaml::what_is_anothers"
OTHERS_ROWS = "scenarios/opal/tenants.yaml::the_database_holds_each_to_it[usage_of_billing]"
TWICE = "scenarios/opal/deliveries.yaml::an_export_that_comes_twice[while_it_is_worked_on]"
OLD_MESSAGE = "scenarios/opal/old_messages.yaml::a_message_of_the_version_before"
STORAGE = "scenarios/opal/storage.yaml::for_good"
ONE_BLOB = "scenarios/opal/uploads.yaml::the_sas_creates_one_blob"
NO_UPLOAD = "scenarios/opal/uploads.yaml::complete_without_an_upload"
NO_LOG = "scenarios/opal/endpoint.yaml::the_key_is_in_no_log"
COMPLETED = "scenarios/opal/crashes.yaml::the_orchestrator_crashes[with_the_item_completed]"
WRONG_KEY = "scenarios/opal/alerts.yaml::a_wrong_key"

_HANDLER = "services/opal/orchestrator/handler.py"
_MESSAGES = "services/opal/messages.py"
_TENANTS = "services/opal/migrations/versions/0002_tenants.py"

MUTATIONS = (
    Mutation(
        "opal_has_its_jobs_worker_back",
        "services/opal/export/program.py",
        "await work(consumer, announce(), watching)",
        "await work(consumer, announce(), watching, Consumer(client, settings.jobs_queue, lambda message: "
        '__import__("asyncio").sleep(0), service=SERVICE, name="jobs_worker", concurrency=8).run())',
        ONE_CONSUMER,
        "the orchestrator alone has the jobs",
        ("receivers", "export"),
    ),
    Mutation(
        "opal_has_a_consumer_that_its_topology_does_not_name",
        "scenarios/opal/base.yaml",
        "consumers: [orchestrator]",
        "consumers: [export]",
        WHOLE_WAY,
        "at the end of the case",
        ("no_unexpected_consumers", "jobs", "orchestrator"),
    ),
    Mutation(
        "opal_sends_the_export_before_the_commit",
        _HANDLER,
        "await self._make(key, item)",
        '__import__("asyncio").get_running_loop().call_later('
        '0.5, lambda: __import__("asyncio").ensure_future(self._make(key, item)))',
        WHOLE_WAY,
        "and one through the next, once its item was committed",
        ("deliveries", "expected 1"),
    ),
    Mutation(
        "opal_does_not_send_the_export_that_a_crash_has_left",
        _HANDLER,
        '            log.info("item completed before", **key.facts)\n        await self._export(key)\n',
        "            return\n        await self._export(key)\n",
        COMPLETED,
        "the item is exported",
        ("status", '"completed"', "crashed"),
    ),
    Mutation(
        "opal_shows_every_tenant_everything",
        _TENANTS,
        "USING ({_OWN})",
        "USING (true)",
        ANOTHERS,
        "it cannot see the job",
        ("status", "expected 404", "actual   200"),
    ),
    Mutation(
        "opal_forgets_whose_usage_it_asks_for",
        _TENANTS,
        '    for table in _TABLES:\n        op.execute(f"ALTER TABLE {table} ENABLE',
        '    for table in _TABLES[:3]:\n        op.execute(f"ALTER TABLE {table} ENABLE',
        OTHERS_ROWS,
        "another sees nothing",
        ("rows", "acme"),
    ),
    Mutation(
        "opal_bills_each_delivery",
        "services/opal/export/billing.py",
        "/v1/usage/{key.item_id}",
        "/v1/usage/{__import__('uuid').uuid4()}",
        TWICE,
        "and billed once",
        ("json.items", "expected 1", "actual   2"),
    ),
    Mutation(
        "opal_uploads_for_ever",
        "services/opal/orchestrator/settings.py",
        "upload_attempts: int = Field(3, ge=1)",
        "upload_attempts: int = Field(1_000_000, ge=1)",
        STORAGE,
        "it ends",
        ("count", "expected 1", "actual   0", "fault status on blobs"),
    ),
    Mutation(
        "opal_signs_uploads_that_can_be_read",
        "services/shared/blobs.py",
        "BlobSasPermissions(create=True), lifetime",
        "BlobSasPermissions(create=True, read=True), lifetime",
        ONE_BLOB,
        "to read it",
        ("status", "expected 403", "actual   200"),
    ),
    Mutation(
        "opal_signs_uploads_that_can_be_repeated",
        "services/shared/blobs.py",
        "BlobSasPermissions(create=True), lifetime",
        "BlobSasPermissions(create=True, write=True), lifetime",
        ONE_BLOB,
        "to write over it",
        ("status", "expected 403", "actual   201"),
    ),
    Mutation(
        "opal_completes_what_was_not_uploaded",
        "services/opal/api/uploads.py",
        "if not await self.uploads.exists(",
        "if False and not await self.uploads.exists(",
        NO_UPLOAD,
        "it is refused",
        ("status", "expected 409", "actual   200"),
    ),
    Mutation(
        "opal_tells_the_key_of_its_model",
        "services/opal/orchestrator/endpoint.py",
        "        SCORE_REQUEST.check(question)\n",
        "        SCORE_REQUEST.check(question)\n"
        '        print(json.dumps({"event": "asking", "key": self.client.headers["authorization"]}), flush=True)\n',
        NO_LOG,
        "the orchestrator does not tell its key",
        ("count", "expected 0", "actual   1"),
    ),
    Mutation(
        "opal_reads_no_message_of_the_version_before",
        _MESSAGES,
        'if "item" in body:',
        "if False:",
        OLD_MESSAGE,
        "settle within 20s",  # it is tried five times, which takes a little longer
        ("not settled", "KeyError: 'tenant_id'"),
    ),
    Mutation(
        "opal_wants_the_names_of_the_version_before",
        _MESSAGES,
        'if "item" in body:',
        "if True:",
        WHOLE_WAY,
        "settle within 20s",
        ("not settled", "KeyError: 'tenant'"),
    ),
    Mutation(
        "opal_watches_the_wrong_queue",
        "services/opal/alerts/rules.yaml",
        "  dimensions: {EntityName: jobs}\n",
        "  dimensions: {EntityName: exports}\n",
        WRONG_KEY,
        "alert name jobs_dead_lettered",
        ('expected "Fired"', 'actual   "None"'),
    ),
)
