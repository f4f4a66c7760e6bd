"""What cannot pass against the emulator, and why; whatever else fails, is a bug, and so is what passes all the same."""

from __future__ import annotations

_CLIENT_GIVES_UP = (
    "asserts that receive_messages(max_wait_time=5) waits 65 s for a session; since 7.15 the SDK's own deadline for opening "
    "the link is that of the call (_common/utils.py, get_link_ready_deadline), whatever the service does"
)
_OLD_SIGNATURE = "replaces the SDK's settle_messages by a function that does not take the argument await_outcome, which 7.15 gives it"

EXPECTED: dict[str, str] = {
    "test_queues.py::TestServiceBusQueue::test_queue_operation_negative[pyamqp]": _OLD_SIGNATURE,
    "async_tests/test_queues_async.py::TestServiceBusQueueAsync::test_async_queue_operation_negative[pyamqp]": _OLD_SIGNATURE,
    "test_sessions.py::TestServiceBusSession::test_next_available_session_timeout_value[pyamqp]": _CLIENT_GIVES_UP,
    "async_tests/test_sessions_async.py::TestServiceBusAsyncSession::test_async_next_available_session_timeout_value[pyamqp]": _CLIENT_GIVES_UP,
}
"""Test ids, as the run prints them, with the reason."""
