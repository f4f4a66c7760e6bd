"""A scenario about topics: rules route, actions change, and the history tells it, without any service."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.conftest import Run

SCENARIO = """\
scenario: Orders
stack:
  servicebus:
    queues: {audit: }
    topics:
      orders:
        duplicate_detection_window: 10m
        subscriptions:
          all:
          large: {rules: {large: {sql: "quantity > 10"}}}
          prague: {rules: {city: {correlation: {properties: {city: Prague}}}}}
          none: {rules: {never: false}}
          audited: {forward_to: audit}
cases:
  routed:
    steps:
      - send: {topic: orders, message_id: small, json: {n: 1}, properties: {quantity: 1, city: Prague}}
      - send: {topic: orders, message_id: large, json: {n: 2}, properties: {quantity: 50}}
      - send: {topic: orders, message_id: large, json: {n: 2}, properties: {quantity: 50}}
      - name: every message
        messages: {queue: orders/Subscriptions/all}
        expect: {count: 2, unordered: [{message_id: small}, {message_id: large}]}
      - messages: {queue: orders/Subscriptions/large}
        expect: {count: 1, each: {message_id: large, body: {n: 2}}}
      - messages: {queue: orders/Subscriptions/prague}
        expect: {count: 1, each: {message_id: small}}
      - messages: {queue: orders/Subscriptions/none}
        expect: {count: 0}
      - name: forwarded
        messages: {queue: audit}
        expect: {count: 2}
      - queue: orders/Subscriptions/all
        expect: {active: 2, dead_letter: 0}
      - send: {topic: orders, message_id: later, json: {}, scheduled_in: 1h}
      - name: what the topic took, dropped, and holds until its time
        messages: {queue: orders}
        expect:
          unordered:
            [
              {message_id: small, outcome: published},
              {message_id: large, outcome: published},
              {message_id: large, outcome: dropped_as_duplicate},
              {message_id: later, outcome: scheduled},
            ]
      - queue: orders
        expect: {scheduled: 1, active: 0}
"""

SESSIONS = """\
scenario: Sessions
stack: {servicebus: {queues: {jobs: {requires_session: true}, plain: }}}
cases:
  observed:
    steps:
      - session: {queue: jobs, id: s}
        expect: {exists: false, locked: false}
      - send: {queue: jobs, session_id: s, json: {}}
      - session: {queue: jobs, id: s}
        expect: {exists: true, locked: false, state: $absent}
      - run: {python: "sessions:work", with: {text: "${servicebus.connection_string}"}}
      - name: it is not locked by looking
        session: {queue: jobs, id: s}
        expect: {state: {step: 2}, locked: false, in_hand: 0}
      - run: {python: "sessions:hold", with: {text: "${servicebus.connection_string}"}}
        expect: {locked: true, in_hand: 1}
"""
WORK = """\
import json
from azure.servicebus import ServiceBusClient
from peeklock.servicebus import Client

def work(text):
    with ServiceBusClient.from_connection_string(text) as client:
        with client.get_queue_receiver("jobs", session_id="s") as receiver:
            receiver.session.set_state(json.dumps({"step": 2}))

def hold(text):
    with ServiceBusClient.from_connection_string(text) as client:
        with client.get_queue_receiver("jobs", session_id="s") as receiver:
            held = receiver.receive_messages(1, max_wait_time=5)
            return {"locked": receiver.session.locked_until_utc is not None, "in_hand": len(held)}
"""


def test_a_session_is_looked_at_without_taking_it(peeklock: Run, project: Path) -> None:
    """Its state and its lock, before and after somebody had it; a queue without sessions is refused at check."""
    (project / "scenarios" / "sessions.yaml").write_text(SESSIONS, encoding="utf-8")
    (project / "scenarios" / "sessions.py").write_text(WORK, encoding="utf-8")
    done = peeklock("run", "scenarios/sessions.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    (project / "scenarios" / "sessions.yaml").write_text(SESSIONS.replace("queue: jobs, id", "queue: plain, id"))
    assert '"plain" has no sessions' in peeklock("check", "scenarios/sessions.yaml").stderr


def test_topics_from_the_scenario_to_the_history(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "orders.yaml").write_text(SCENARIO, encoding="utf-8")
    done = peeklock("run", "scenarios/orders.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bad_rule_is_told_before_anything_starts(peeklock: Run, project: Path) -> None:
    text = SCENARIO.replace('{sql: "quantity > 10"}', "{}").replace(
        "topic: orders, message_id: small", "topic: order, message_id: small"
    )
    (project / "scenarios" / "orders.yaml").write_text(text, encoding="utf-8")
    done = peeklock("check", "scenarios/orders.yaml")
    assert done.returncode == 2
    assert "say exactly one of sql or correlation" in done.stderr
    (project / "scenarios" / "orders.yaml").write_text(
        SCENARIO.replace("topic: orders, message_id: small", "topic: order, message_id: small"), encoding="utf-8"
    )
    done = peeklock("check", "scenarios/orders.yaml")
    assert 'there is no topic "order"' in done.stderr
    assert 'did you mean "orders"?' in done.stderr


def test_a_filter_that_is_no_sql_is_told_with_its_place(peeklock: Run, project: Path) -> None:
    (project / "scenarios" / "orders.yaml").write_text(
        SCENARIO.replace("quantity > 10", "quantity >> 10"), encoding="utf-8"
    )
    done = peeklock("check", "scenarios/orders.yaml")
    assert done.returncode == 2, done.stdout
    assert "scenarios/orders.yaml:10:40" in done.stderr
    assert "^" in done.stderr
