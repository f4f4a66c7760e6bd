"""The known ways to break IntelliOptics, and what must be said about each."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

HAPPY_PATH = "scenarios/intellioptics/pipeline.yaml::happy_path"
DUPLICATE = "scenarios/intellioptics/pipeline.yaml::duplicate_inside_the_window"
COUNTED = "scenarios/intellioptics/pipeline.yaml::people_are_counted"
DETECTORS = "scenarios/intellioptics/api.yaml::detectors"
NO_TOKEN = "scenarios/intellioptics/api.yaml::without_a_token"
REFUSED = "scenarios/intellioptics/sas.yaml::sas_failure[expired]"
MINTED = "scenarios/intellioptics/sas.yaml::minted_by_the_api"
CRASHED = "scenarios/intellioptics/crashes.yaml::worker_crashes[before_its_result_is_taken]"
UNTOLD = "scenarios/intellioptics/crashes.yaml::worker_crashes[before_it_hears_that_its_result_is_taken]"
GRACE = "scenarios/intellioptics/time.yaml::grace_period_of_old_detector_ids"
RENEWAL = "scenarios/intellioptics/time.yaml::renewal_keeps_the_lock"
REDELIVERED = "scenarios/intellioptics/faults.yaml::settlement_lost"
UNAVAILABLE = "scenarios/intellioptics/faults.yaml::blob_service_unavailable_twice"
API_AWAY = "scenarios/intellioptics/faults.yaml::api_down_and_back"
PREFLIGHT = "scenarios/intellioptics/preflight.yaml::nothing_is_wrong"
VIOLATION = "scenarios/intellioptics/contract.yaml::violations[no_detector]"
ONE_TRACE = "scenarios/intellioptics/telemetry.yaml::an_upload_is_answered"
POISON = "scenarios/intellioptics/alerts.yaml::poison"
ONE_IN_A_THOUSAND = "scenarios/intellioptics/alerts.yaml::more_than_one_in_a_thousand"
REFUSES = "scenarios/intellioptics/alerts.yaml::the_storage_refuses_and_crawls"

_IDENTIFIERS = "services/intellioptics/identifiers.py"
_DETECTORS = "services/intellioptics/api/detectors.py"
_DIRECTORY = "services/intellioptics/worker/detector_directory.py"
_HANDLER = "services/intellioptics/worker/handler.py"
_ANSWERS = "services/intellioptics/worker/answers.py"
_CONSUMER = "services/shared/consumer.py"
_LOCK = "services/shared/lock.py"
_PUBLISHER = "services/shared/publisher.py"
_DOWNLOAD = "services/shared/download.py"
_BLOBS = "services/shared/blobs.py"
_HTTP = "services/shared/http.py"
_RULES = "services/intellioptics/alerts/rules.yaml"
_BASE = "scenarios/intellioptics/base.yaml"
_APPLICATION = "services/intellioptics/api/application.py"
_ALIGNED = "scenarios/intellioptics/preflight.yaml"

MUTATIONS = (
    Mutation(
        "api_is_pointed_at_another_database",
        _APPLICATION,
        "pool: Pool = connection_pool(database_url)",
        'pool: Pool = connection_pool(database_url.rpartition("/")[0] + "/postgres")',
        PREFLIGHT,
        "the pre-flight check",
        ("different-databases: api is connected to another database", "actual: postgres (its open connection)"),
    ),
    Mutation(
        "worker_is_told_a_queue_that_is_not_there",
        _ALIGNED,
        "  worker:\n    env: {IMAGE_QUERIES_QUEUE: image-queries,",
        "  worker:\n    env: {IMAGE_QUERIES_QUEUE: image-querys,",
        PREFLIGHT,
        "the pre-flight check",
        ('queue-missing: there is no queue "image-querys"', 'did you mean "image-queries"?', "preflight.yaml:"),
    ),
    Mutation(
        "api_reads_det_as_uuid",
        _DETECTORS,
        'return "public_id = %(id)s" if detector_id.startswith("det_") else "lower(id::text) = lower(%(id)s)"',
        'return "id = %(id)s::uuid"',
        DETECTORS,
        "http post /v1/detectors",  # which tells what it has just written
        ("status", "expected 201", "actual   500", 'invalid input syntax for type uuid: "det_'),
    ),
    Mutation(
        "worker_reads_det_as_uuid",
        _DIRECTORY,
        "quote(detector_id, safe='')",
        "__import__('uuid').UUID(detector_id)",
        HAPPY_PATH,
        "the result comes back",
        ("worker.handler_failed", "badly formed hexadecimal UUID string"),
    ),
    Mutation(
        "api_asks_for_query_text",
        _DETECTORS,
        '_COLUMNS = "public_id AS id, name, query, confidence_threshold, status"',
        '_COLUMNS = "public_id AS id, name, query_text, confidence_threshold, status"',
        DETECTORS,
        "http post /v1/detectors",
        ("expected 201", "actual   500", "query_text"),
    ),
    Mutation(
        "worker_completes_before_it_publishes",
        _CONSUMER,
        "                word = await self._handled(receiver, message)\n",
        "                await receiver.complete_message(message)\n"
        "                word = await self._handled(receiver, message)\n"
        '                log.info(self._event("completed"), **facts)\n'
        "                return\n",
        HAPPY_PATH,
        "the query is settled once, after its result",
        ("settled_at", "expected at least", "completed seq"),
    ),
    Mutation(
        "worker_forgets_model_version",
        _HANDLER,
        '            "model_version": self.model.version,\n',
        "",
        HAPPY_PATH,
        "the result comes back",
        ("worker.handler_failed", "ContractViolation", "model_version"),
    ),
    Mutation(
        "result_without_model_version",
        _HANDLER,
        '            "model_version": self.model.version,\n        }\n        INFERENCE_RESULT.check(result)\n',
        "        }\n",
        HAPPY_PATH,
        "the result comes back",
        ("body.model_version", "ContractViolation", "model_version: is required"),
    ),
    Mutation(
        "worker_retries_on_403",
        _DOWNLOAD,
        "frozenset({408, 429,",
        "frozenset({403, 408, 429,",
        REFUSED,
        "the result tells why",
        ("HTTP 403", "MaxDeliveryCountExceeded"),
    ),
    Mutation(
        "api_mints_container_sas",
        _BLOBS,
        "signature = generate_blob_sas(\n"
        "            account_name=str(self._service.account_name),\n"
        "            container_name=self._container.container_name,\n"
        "            blob_name=name,\n",
        "signature = __import__('azure.storage.blob').storage.blob.generate_container_sas(\n"
        "            account_name=str(self._service.account_name),\n"
        "            container_name=self._container.container_name,\n",
        MINTED,
        "an image is taken in",
        ("expected 202", "actual   500", "blob_url", "a container SAS (sr=c)"),
    ),
    Mutation(
        "api_mints_a_writing_sas",
        _BLOBS,
        "BlobSasPermissions(read=True)",
        "BlobSasPermissions(read=True, write=True)",
        MINTED,
        "the worker is sent a read-only signature for this one blob",
        ("body.blob_url", "sp=rw"),
    ),
    Mutation(
        "duplicate_detection_is_off",
        _BASE,
        "        duplicate_detection_window: 10m\n        consumers: [worker]\n",
        "        consumers: [worker]\n",
        DUPLICATE,
        "the second one is dropped by the queue",
        ("dropped_as_duplicate", "completed"),
    ),
    Mutation(
        "dead_letter_reason_is_lost",
        _CONSUMER,
        "await receiver.dead_letter_message(message, reason=reason, error_description=description)",
        "await receiver.dead_letter_message(message)",
        VIOLATION,
        "dead-lettered at its first delivery, with the field named",
        ("dead_letter_reason", "ContractViolation", "absent"),
    ),
    Mutation(
        "worker_drops_the_correlation_id",
        _PUBLISHER,
        "            correlation_id=correlation_id,\n",
        "            correlation_id=None,\n",
        HAPPY_PATH,
        "one correlation id from the message through the worker to the result",
        ("correlation_id", "happy_path", "absent"),
    ),
    Mutation(
        "worker_counts_one_too_few",
        _ANSWERS,
        'len(seen) if word == "COUNT"',
        'len(seen) - 1 if word == "COUNT"',
        COUNTED,
        "three of them",
        ("body.count", "expected 3", "actual   2"),
    ),
    Mutation(
        "token_is_not_checked",
        _HTTP,
        "if not hmac.compare_digest(given, self._expected):",
        "if not hmac.compare_digest(given, given):",
        NO_TOKEN,
        "nothing is told",
        ("expected 401", "actual   200"),
    ),
    Mutation(
        "worker_completes_before_it_publishes_and_crashes",
        _CONSUMER,
        "                word = await self._handled(receiver, message)\n",
        "                await receiver.complete_message(message)\n"
        "                word = await self._handled(receiver, message)\n"
        "                return\n",
        CRASHED,
        "it was delivered again where there was something left to do",
        ("deliveries   expected between 2 and 2", "actual   1", "crashed at send"),
    ),
    Mutation(
        "worker_gives_its_result_a_new_id_each_time",
        _PUBLISHER,
        "            message_id=message_id,\n",
        "            message_id=__import__('uuid').uuid4().hex,\n",
        UNTOLD,
        "one result was taken, however often it was sent",
        ("count   expected 1", "actual   2", "crashed at answer"),
    ),
    Mutation(
        "grace_period_does_not_end",
        _IDENTIFIERS,
        "timedelta(days=14)",
        "timedelta(days=41)",
        GRACE,
        "on the fifteenth it is not",
        ("body.reason", "detector_not_found", "moved by 2d"),
    ),
    Mutation(
        "worker_renews_too_late",
        _LOCK,
        "max(pause, 0.05)",
        "max(pause * 4, 0.05)",
        RENEWAL,
        "half of the lock's 5 s is over",
        ("history", "renewed"),
    ),
    Mutation(
        "worker_has_its_effect_at_each_delivery",
        _HANDLER,
        "await self.results.send(result, message_id=query_id, ",
        'await self.results.send(result, message_id=f"{query_id}-{message.delivery_count}", ',
        REDELIVERED,
        "the second result is dropped by its id",
        ("outcome", "dropped_as_duplicate", "fault drop_settlement"),
    ),
    Mutation(
        "worker_takes_a_503_for_a_refusal",
        _DOWNLOAD,
        'raise _TryAgainError(f"HTTP {response.status_code}")',
        'raise DownloadRefusedError(response.status_code, f"HTTP {response.status_code}")',
        UNAVAILABLE,
        "the image is had all the same",
        ("body.answer", "download_failed", "fault status on blobs"),
    ),
    Mutation(
        "worker_completes_what_it_could_not_do",
        _CONSUMER,
        'await self._abandon(receiver, message, {**facts, "reason": str(failure)}, outcome)',
        "await receiver.complete_message(message)",
        API_AWAY,
        "the worker gives the message back",
        ("abandoned", "completed", "fault down on api"),
    ),
    Mutation(
        "worker_drops_the_trace",
        "services/shared/instrumentation.py",
        "self._propagator.extract(carried)",
        "None",
        ONE_TRACE,
        "in which the worker answers",
        ("expected 1 items", "actual   0 items"),
    ),
    Mutation(
        "alert_never_clears",
        _RULES,
        "  threshold: 5\n",
        "  threshold: 5\n  resolve: false\n",
        POISON,
        "alert name dead_letter_spike",
        ('expected "Resolved"', 'actual   "Fired"'),
    ),
    Mutation(
        "alert_takes_a_fraction_for_percent",
        _RULES,
        "  threshold: 0.1\n",
        "  threshold: 0.001\n",
        ONE_IN_A_THOUSAND,
        "alert name detector_not_found",
        ('expected "None"', 'actual   "Fired"'),
    ),
    Mutation(
        "alert_takes_milliseconds_for_seconds",
        _RULES,
        '  dimensions: {cloud/roleName: "*"}\n  aggregation: Average\n  threshold: 1\n',
        '  dimensions: {cloud/roleName: "*"}\n  aggregation: Average\n  threshold: 1000\n',
        REFUSES,
        "alert name slow_model",
        ('expected "Fired"', 'actual   "None"', "was 3"),
    ),
)
