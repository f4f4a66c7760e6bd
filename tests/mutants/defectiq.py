"""The known ways to break DefectIQ, and what must be said about each."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

NO_KEY = "scenarios/defectiq/api.yaml::without_a_key[wrong_key]"
FOREIGN_PAGE = "scenarios/defectiq/api.yaml::pages_that_may_not[https://evil.example]"
OTHER_TYPE = "scenarios/defectiq/api.yaml::no_picture[another_type_than_announced]"
BY_KEY = "scenarios/defectiq/limits.yaml::by_key"
LOOKED_AT = "scenarios/defectiq/pipeline.yaml::a_picture_is_looked_at[nicked]"
REPAIRED = "scenarios/defectiq/crashes.yaml::the_api_crashes[before_the_message_is_taken]"
ANALYSING = "scenarios/defectiq/crashes.yaml::the_worker_crashes[while_the_model_looks]"
COMPLETED = "scenarios/defectiq/crashes.yaml::the_worker_crashes[when_the_job_is_completed]"
SAME_BYTES = "scenarios/defectiq/crashes.yaml::the_same_bytes_again"
WINDOW = "scenarios/defectiq/time.yaml::inside_and_after_the_window"
FILTERED = "scenarios/defectiq/openai.yaml::a_filtered_prompt"
CUT_OFF = "scenarios/defectiq/openai.yaml::json_that_is_cut_off"
OUTSIDE = "scenarios/defectiq/openai.yaml::answers_that_cannot_be[a_box_outside_of_the_picture]"
OUT_FOR_GOOD = "scenarios/defectiq/openai.yaml::out_for_good"
NAME_WINS = "scenarios/defectiq/names_win.yaml::the_name_wins"
GRANTS = "scenarios/defectiq/identities.yaml::the_check_from_outside_names_the_grant[the_worker_may_not_receive]"
IN_HAND = "scenarios/defectiq/poison.yaml::no_more_in_hand_than_may_be"

_GATE = "services/defectiq/api/gate.py"
_AZURE = "services/defectiq/azure.py"
_INGEST = "services/defectiq/api/ingest.py"
_APPLICATION = "services/defectiq/api/application.py"
_HANDLER = "services/defectiq/worker/handler.py"
_INSPECTOR = "services/defectiq/worker/inspector.py"
_PROGRAM = "services/defectiq/worker/program.py"

_LATER = '__import__("asyncio").get_running_loop().call_later(0.5, lambda: __import__("asyncio").ensure_future({}))'

MUTATIONS = (
    Mutation(
        "defectiq_worker_has_the_role_of_a_sender",
        "scenarios/defectiq/identities.yaml",
        "      - {role: Azure Service Bus Data Receiver, on: defect-jobs}\n",
        "      - {role: Azure Service Bus Data Sender, on: defect-jobs}\n",
        GRANTS,
        "as declared, nothing is missing",
        ("role-missing", "Azure Service Bus Data Receiver on defect-jobs"),
    ),
    Mutation(
        "defectiq_does_not_look_at_the_key",
        _GATE,
        "hmac.compare_digest(given.encode(), key.encode())",
        "hmac.compare_digest(given.encode(), given.encode())",
        NO_KEY,
        "http post /api/v1/ingest",
        ("status", "expected 401", "actual   202"),
    ),
    Mutation(
        "defectiq_lets_every_page_call",
        _APPLICATION,
        "allow_origins=settings.origins,",
        'allow_origins=["*"],',
        FOREIGN_PAGE,
        "run python checks:preflight",
        ("status", "expected 400", "actual   200"),
    ),
    Mutation(
        "defectiq_believes_the_announced_type",
        _INGEST,
        "if found != content_type:",
        "if False:",
        OTHER_TYPE,
        "it is refused",
        ("expected 415", "actual   202"),
    ),
    Mutation(
        "defectiq_limits_by_process",
        _GATE,
        "            wait = await limit.admit(who)\n",
        "            from services.defectiq.api import rate_limit\n\n"
        "            spent = rate_limit.__dict__.setdefault('spent', {})\n"
        "            spent[limit.kind, who] = spent.get((limit.kind, who), 0) + 1\n"
        "            wait = 30 if spent[limit.kind, who] > limit.most else 0\n",
        BY_KEY,
        "the first replica knows what the second one has let in",
        ("expected 429", "actual   404"),
    ),
    Mutation(
        "defectiq_limits_all_keys_together",
        _GATE,
        "self._is_spent(by_key, given, send)",
        'self._is_spent(by_key, "", send)',
        BY_KEY,
        "another key has a budget of its own",
        ("statuses", "429"),
    ),
    Mutation(
        "defectiq_takes_a_repeated_picture_for_done",
        _INGEST,
        '            await self.publisher.send(job, message_id=image_id, subject="defect-job")\n',
        "            if found[name] is kept:\n"
        '                await self.publisher.send(job, message_id=image_id, subject="defect-job")\n',
        REPAIRED,
        "one message came through",
        ("count", "expected 1", "actual   0"),
    ),
    Mutation(
        "defectiq_writes_before_it_has_looked",
        _HANDLER,
        '        log.info("image.analysing", image_id=image_id, deployment=self.inspector.deployment)\n',
        '        await self.processed.create(name, b"{}", "application/json")\n'
        '        log.info("image.analysing", image_id=image_id, deployment=self.inspector.deployment)\n',
        ANALYSING,
        "the artifact is what it must be",
        ("json", "image_id"),
    ),
    Mutation(
        "defectiq_completes_before_the_artifact_is_written",
        _HANDLER,
        '        if await self.processed.create(name, data, "application/json"):\n',
        f"        {_LATER.format('self.processed.create(name, data, chr(97) + chr(47) + chr(98))')}\n        if True:\n",
        COMPLETED,
        "the artifact is what it must be",
        ("status", "expected 200", "actual   404", "crashed at completed"),
    ),
    Mutation(
        "defectiq_looks_again_at_what_has_an_artifact",
        _HANDLER,
        "        if await self.processed.exists(name):\n",
        "        if False:\n",
        WINDOW,
        "and skipped, for there is an artifact",
        ("count", "expected 1", "actual   0"),
    ),
    Mutation(
        "defectiq_writes_json_in_any_order",
        _HANDLER,
        "data = rfc8785.dumps(_artifact(job, enqueued_at, seen, facts))",
        "data = __import__('json').dumps(_artifact(job, enqueued_at, seen, facts), separators=(',', ':')).encode()",
        LOOKED_AT,
        "in the one way to write it down",
        ("canonical", "expected true", "actual   false"),
    ),
    Mutation(
        "defectiq_tells_when_it_was_worked_on",
        _HANDLER,
        "    return moment(at)\n",
        "    return moment(__import__('datetime').datetime.now(__import__('datetime').UTC))\n",
        SAME_BYTES,
        "the second is the first",
        ("sha256",),
    ),
    Mutation(
        "defectiq_asks_again_about_filtered_content",
        _INSPECTOR,
        '            if error.code == "content_filter":\n',
        "            if False:\n",
        FILTERED,
        "once, and with its reason",
        ("AttemptsSpent", "ContentFiltered"),
    ),
    Mutation(
        "defectiq_makes_up_what_was_not_said",
        _INSPECTOR,
        '            raise PermanentFailure("AnswerInvalid", f"the answer is not JSON ({error})") from error\n',
        "            made_up = {'defect_detected': False, 'defect_type': None, 'severity': None, 'description': '',"
        " 'confidence': 0.5, 'bounding_boxes': []}\n"
        "            return Inspection(made_up, answer.model)\n",
        CUT_OFF,
        "once, and with its reason",
        ("count", "expected 1", "actual   0"),
    ),
    Mutation(
        "defectiq_keeps_a_box_outside_of_the_picture",
        _HANDLER,
        'for number, box in enumerate(seen.findings["bounding_boxes"]):',
        "for number, box in ():",
        OUTSIDE,
        "messages queue defect-jobs",
        ("count", "expected 1", "actual   0"),
    ),
    Mutation(
        "defectiq_tries_as_often_as_the_queue_allows",
        _PROGRAM,
        "max_attempts=settings.worker_max_delivery_attempts,",
        "max_attempts=None,",
        OUT_FOR_GOOD,
        "messages queue defect-jobs",
        ("MaxDeliveryCountExceeded", "AttemptsSpent"),
    ),
    Mutation(
        "defectiq_takes_more_than_it_may",
        _PROGRAM,
        "concurrency=settings.worker_max_messages,",
        "concurrency=2 * settings.worker_max_messages,",
        IN_HAND,
        "ten are in hand, and the others wait where any worker can have them",
        ("locked", "expected 10"),
    ),
    Mutation(
        "defectiq_uses_a_key_where_it_has_an_identity",
        _AZURE,
        "if (namespace := self._settings.azure_servicebus_namespace) is not None:",
        "namespace = self._settings.azure_servicebus_namespace\n"
        "        if namespace is not None and self._settings.azure_servicebus_connection_string is None:",
        NAME_WINS,
        "both came in by their identities",
        ("sent_as",),
    ),
    Mutation(
        "defectiq_uses_the_accounts_key_where_it_has_an_identity",
        _AZURE,
        "if (account := self._settings.azure_storage_account) is not None:",
        "account = self._settings.azure_storage_account\n"
        "        if account is not None and self._settings.azure_storage_connection_string is None:",
        NAME_WINS,
        "http get /api/v1/artifacts/${image_id}",
        ("expected 503", "actual   200"),
    ),
)
