"""Azure's samples for Service Bus, by name: what each must say and leave behind, or why it cannot run here."""

from __future__ import annotations

from peeklock.servicebus.issuer import TENANT
from tests.conformance.samples.sample import Sample

QUEUE, SESSIONS, TOPIC, SUBSCRIPTION, SESSION_SUBSCRIPTION = "queue", "sessions", "topic", "all", "sessions"
BODY = "from the test"
"""What is in the messages that are there before a sample begins."""
_CANNOT_EDIT = "has placeholders in its source, which no environment variable replaces"
_DONE = "Receive is done."
_COMPLEX = "Receiving:"
_POOL = "Received total 200 messages across 10 sessions."

SAMPLES: dict[str, Sample] = {
    "authenticate_client_connstr": Sample(),
    "authenticate_using_azure_named_key_credential": Sample(leaves={QUEUE: 1}),
    "authenticate_using_azure_sas_credential": Sample(leaves={QUEUE: 1}),
    "auto_lock_renew": Sample(
        says=(
            "Send messages to non-sessionful queue.", "Complete messages.", "Send messages to sessionful queue.",
            "Complete messages.", "Intentionally failed to renew lock", "Lock renew failure demonstration complete.",
        ),
        leaves={SESSIONS: 0},
    ),
    "client_identity_authentication": Sample(
        says=("Send message is done.",),
        leaves={QUEUE: 1},
        variables={"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": "sample", "AZURE_CLIENT_SECRET": "any"},
    ),
    "connection_to_custom_endpoint_address": Sample(cannot=_CANNOT_EDIT),
    "deadletter_messages_and_correct": Sample(
        says=("Message delivery_count: 9", "Deadletter message:", "Fixing message:", "Received fixed message:"),
        leaves={QUEUE: 0},
    ),
    "failure_and_recovery": Sample(says=("Opening", "Sending", "Receiving", "Data 0", "Data 9"), endless=True),
    "generate_sas_token_and_authenticate_client": Sample(),
    "list_sessions": Sample(
        says=("Queue session: 0", "Queue session: 9", "Subscription session: 0", "Subscription session: 9"),
        given=(SESSIONS, TOPIC),
        variables={"SERVICEBUS_SUBSCRIPTION_NAME": SESSION_SUBSCRIPTION},
    ),
    "mgmt_queue": Sample(says=("is created.", f"Queue Name: {QUEUE}", "Auto Delete on Idle:", "is deleted.")),
    "mgmt_rule": Sample(says=("is created.", "Rule Name: $Default", "is deleted.")),
    "mgmt_subscription": Sample(says=("is created.", f"Subscription Name: {SUBSCRIPTION}", "is deleted.")),
    "mgmt_topic": Sample(says=("is created.", f"Topic Name: {TOPIC}", "SQL Filter Count:", "is deleted.")),
    "proxy": Sample(cannot="needs an HTTP proxy at 127.0.0.1:8899, which is written into its source with its password"),
    "receive_deadlettered_messages": Sample(
        says=("receiving deadlettered messages", "Message to be deadlettered", _DONE), leaves={QUEUE: 0}, quiet=_DONE
    ),
    "receive_deferred_message_queue": Sample(
        says=("Deferring msg:", "Completing deferred msg:", "Receive is done."), leaves={QUEUE: 0}
    ),
    "receive_iterator_queue": Sample(says=(BODY,) * 10, given=(QUEUE,), endless=True),
    "receive_peek": Sample(says=(BODY, BODY, _DONE), given=(QUEUE,), leaves={QUEUE: 10}, quiet=_DONE),
    "receive_queue": Sample(says=(BODY, _DONE), given=(QUEUE,), quiet=_DONE),
    "receive_subscription": Sample(says=(BODY, _DONE), given=(TOPIC,), quiet=_DONE),
    "sample_code_servicebus": Sample(says=("Hello World", _COMPLEX, "msg"), quiet=_COMPLEX),
    "schedule_messages_and_cancellation": Sample(says=("All scheduled messages are cancelled.",), leaves={QUEUE: 0}),
    "schedule_topic_messages_and_cancellation": Sample(says=("All scheduled messages are cancelled.",)),
    "send_and_receive_amqp_annotated_message": Sample(
        says=("data body received", "b'bb'", "sequence body received", "123.456", "value body received"), leaves={QUEUE: 0}
    ),
    "send_queue": Sample(says=("Send message is done.",), leaves={QUEUE: 24}),
    "send_topic": Sample(says=("Send message is done.",), leaves={f"{TOPIC}/Subscriptions/{SUBSCRIPTION}": 24}),
    "session_pool_receive": Sample(says=("Message: Sample message no. 19", _POOL), leaves={SESSIONS: 0}, quiet=_POOL),
    "session_send_receive": Sample(says=("Session state: b'START'", "Session state: b'END'", "Receive is done.")),
    "topic_subscription_with_rule_operations": Sample(
        says=("'9' Messages", "'3' Messages", "Color Property = BlueProcessed", "'3' Messages", "'1' Messages", "is deleted.")
    ),
}  # fmt: skip
"""By the name of the file in `sync_samples`; the one in `async_samples` with `_async` behind it does the same."""
